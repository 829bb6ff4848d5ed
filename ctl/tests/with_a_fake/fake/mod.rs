//! A FAKE daemon: it plays ahoyd on a private bus with values and answers that the test wrote down, and decides nothing.
//!
//! Lives here: objects with properties, an answer for each method, steps that are played before or after an answer.
//! Must not: contain a rule of ahoy. What it shows is no evidence about ahoyd, only about ahoyctl.

pub(crate) mod bus;
mod run;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::process::Stdio;

use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, ObjectPath, OwnedVariant, Variant, connection};

use self::bus::PrivateBus;
pub(crate) use self::run::{Done, alone, command};

/// What must end ends within this, also on a machine that has much to do.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

pub(crate) type Dict = HashMap<String, OwnedVariant>;

pub(crate) const ROOT: &str = "/org/ahoyd/Calls1";
pub(crate) const FOCUS: &str = "/org/ahoyd/Calls1/focus";
pub(crate) const ACCOUNT: &str = "/org/ahoyd/Calls1/account_aa";

/// `{key: value, …}` as `a{sv}`.
#[macro_export]
macro_rules! dict {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::fake::Dict::from([$(($key.to_owned(), $crate::fake::owned(zbus::Variant::from($value)))),*])
    };
}

pub(crate) fn owned(value: Variant<'_>) -> OwnedVariant {
    value.try_into_owned().unwrap()
}

pub(crate) fn path(path: &str) -> Variant<'static> {
    Variant::from(ObjectPath::try_from(path.to_owned()).unwrap())
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Properties change, with their signal: path, interface, values.
    Set(String, &'static str, Dict),
    /// An object comes, with its signal.
    Add(String, &'static str, Dict),
    /// An object goes, with its signal.
    Remove(String, &'static str),
    /// A signal of a member `Manager.Event`: type, serial, data.
    Event(&'static str, u64, Dict),
    /// The daemon leaves the bus.
    Leave,
    /// It is back.
    Come,
}

/// What a method is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Nothing,
    Text(&'static str),
    /// A property's value, a text.
    Value(String),
    Flag(bool),
    Path(String),
    Row(Dict),
    Rows(Vec<Dict>),
    Contacts(Vec<Dict>, &'static str),
    History(Vec<Dict>, u64),
    Count(u32),
    Findings(Vec<(&'static str, &'static str, &'static str, Dict)>),
    Error(&'static str, &'static str),
    /// No answer at all.
    Silence,
}

/// The fake, with its bus.
pub(crate) struct Fake {
    pub(crate) bus: PrivateBus,
    connection: Connection,
    messages: MessageStream,
    objects: BTreeMap<String, BTreeMap<&'static str, Dict>>,
    answers: HashMap<&'static str, (Answer, Vec<Step>)>,
    /// Played one by one, each after the state was read once.
    pub(crate) later: VecDeque<Step>,
    /// What was asked: member, path, and the arguments as text.
    pub(crate) asked: Vec<String>,
    /// Who asked last.
    pub(crate) client: String,
}

fn unknown() -> Answer {
    Answer::Error("org.ahoyd.Calls1.Error.NoSuchContact", "There is no such contact.")
}

impl Fake {
    /// A daemon at peace: online, no calls, account Ana.
    pub(crate) async fn start() -> Self {
        let bus = PrivateBus::start();
        let connection = connect(&bus).await;
        let messages = MessageStream::from(&connection);
        connection.request_name("org.ahoyd.Calls1").await.unwrap();
        let mut fake = Self {
            bus,
            connection,
            messages,
            objects: BTreeMap::new(),
            answers: HashMap::from([("Contacts.Get", (unknown(), Vec::new()))]),
            later: VecDeque::new(),
            asked: Vec::new(),
            client: String::new(),
        };
        fake.put(
            ROOT,
            "Manager",
            dict! {"Version": "9.9.9", "Ready": true, "Online": true, "ConnectionState": "online", "Problems": Vec::<String>::new(),
            "Muted": false, "MissedCount": 2_u32, "ActiveCall": path("/")},
        );
        fake.put(FOCUS, "Focus", dict! {"State": "idle", "Call": path("/"), "PeerName": "", "Muted": false, "SinceMonotonic": 0_u64});
        fake.put(
            ACCOUNT,
            "Account",
            dict! {"Id": "aa", "Address": "ybnd", "DisplayName": "Ana", "ConnectionState": "online", "ConnectionError": "",
            "Relays": vec!["ws://127.0.0.1:1".to_owned()]},
        );
        fake
    }

    /// The same with these calls: number, name, state.
    pub(crate) async fn with(calls: &[(u8, &str, &str)]) -> Self {
        let mut fake = Self::start().await;
        for (number, name, state) in calls {
            fake.put_call(*number, name, state);
        }
        fake
    }

    /// An object from the beginning.
    pub(crate) fn put(&mut self, path: &str, interface: &'static str, props: Dict) {
        self.objects.entry(path.to_owned()).or_default().insert(interface, props);
    }

    /// A call from the beginning; returns its path.
    pub(crate) fn put_call(&mut self, number: u8, name: &str, state: &str) -> String {
        let path = call_path(number);
        self.put(&path, "Call", call(number, name, state));
        path
    }

    /// How `Interface.Method` is answered, and what happens before that answer.
    pub(crate) fn on(&mut self, method: &'static str, answer: Answer, steps: Vec<Step>) {
        self.answers.insert(method, (answer, steps));
    }

    /// That method is refused by an error of ours.
    pub(crate) fn refuses(&mut self, method: &'static str, error: &str, sentence: &'static str) {
        let name = format!("org.ahoyd.Calls1.Error.{error}").leak();
        self.on(method, Answer::Error(name, sentence), vec![]);
    }

    /// Runs ahoyctl to its end, which is this code.
    pub(crate) async fn ends(&mut self, args: &[&str], code: i32) -> Done {
        let done = self.ctl(args).await;
        assert_eq!(done.code, code, "{args:?}: {done:?}");
        done
    }

    /// Runs ahoyctl to its end.
    pub(crate) async fn ctl(&mut self, args: &[&str]) -> Done {
        self.ctl_fed(args, "").await
    }

    /// The same, with something on its standard input.
    pub(crate) async fn ctl_fed(&mut self, args: &[&str], input: &str) -> Done {
        let mut child =
            command(&self.bus, args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read closes its end: that is its right.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        tokio::select! {
            output = child.wait_with_output() => output.unwrap().into(),
            never = self.serve() => match never {},
        }
    }

    /// Runs a command that was made ready, to its end.
    pub(crate) async fn run(&mut self, command: &mut Command) -> Done {
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        tokio::select! {
            output = child.wait_with_output() => output.unwrap().into(),
            never = self.serve() => match never {},
        }
    }

    /// Runs ahoyctl with a pipe that nobody reads.
    pub(crate) async fn without_a_reader(&mut self, args: &[&str]) -> Done {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.run(command(&self.bus, args).stdout(writer)).await
    }

    /// Runs ahoyctl, reads one line, and closes the pipe; how it ends after that. It must.
    pub(crate) async fn until_its_reader_goes(&mut self, args: &[&str]) -> Done {
        let mut child = command(&self.bus, args).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        tokio::select! {
            line = lines.next_line() => line.unwrap().expect("it says something first"),
            never = self.serve() => match never {},
        };
        drop(lines);
        let ended = async {
            tokio::select! {
                output = child.wait_with_output() => output.unwrap().into(),
                never = self.serve() => match never {},
            }
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap_or_else(|_| panic!("{args:?} goes on without a reader"))
    }

    /// Starts ahoyctl to read its lines one by one.
    pub(crate) fn stream(&self, args: &[&str]) -> Stream {
        let mut child = command(&self.bus, args).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Stream { _child: child, lines }
    }

    /// The next line of a stream, as JSON.
    pub(crate) async fn line(&mut self, stream: &mut Stream) -> serde_json::Value {
        let line = tokio::select! {
            line = stream.lines.next_line() => line.unwrap().expect("the stream goes on"),
            never = self.serve() => match never {},
        };
        serde_json::from_str(&line).unwrap()
    }

    async fn serve(&mut self) -> std::convert::Infallible {
        loop {
            let message = self.messages.next().await.unwrap().unwrap();
            if message.message_type() == Type::MethodCall {
                self.reply(&message).await;
            }
        }
    }

    async fn reply(&mut self, message: &Message) {
        let header = message.header();
        let path = header.path().unwrap().to_string();
        let interface = header.interface().unwrap().as_str().to_owned();
        let member = header.member().unwrap().as_str().to_owned();
        self.client = header.sender().unwrap().to_string();
        if member == "GetManagedObjects" {
            let below: HashMap<ObjectPath<'_>, HashMap<String, &Dict>> = self
                .objects
                .iter()
                .filter(|(path, _)| path.as_str() != ROOT)
                .map(|(path, object)| (ObjectPath::try_from(path.as_str()).unwrap(), full(object)))
                .collect();
            return self.connection.reply(&header, &below).await.unwrap();
        }
        if member == "GetAll" {
            let asked: String = message.body().deserialize().unwrap();
            let short = asked.rsplit('.').next().unwrap();
            let props = self.objects[&path].get(short).unwrap();
            self.connection.reply(&header, props).await.unwrap();
            if let Some(step) = self.later.pop_front() {
                self.play(step).await;
            }
            return;
        }
        let method = if interface == "org.freedesktop.DBus.Properties" {
            "Properties"
        } else {
            interface.rsplit('.').next().unwrap()
        };
        let method = format!("{method}.{member}");
        let body = message.body();
        let arguments: zbus::Structure<'_> = body.deserialize().unwrap();
        self.asked.push(format!("{method} {path} {arguments}"));
        let (answer, steps) = self
            .answers
            .get(method.as_str())
            .unwrap_or_else(|| panic!("no answer is written down for {method}"))
            .clone();
        for step in steps {
            self.play(step).await;
        }
        let connection = &self.connection;
        match answer {
            Answer::Nothing => connection.reply(&header, &()).await,
            Answer::Text(text) => connection.reply(&header, &text).await,
            Answer::Value(text) => connection.reply(&header, &Variant::from(text)).await,
            Answer::Flag(flag) => connection.reply(&header, &flag).await,
            Answer::Path(path) => connection.reply(&header, &ObjectPath::try_from(path).unwrap()).await,
            Answer::Row(row) => connection.reply(&header, &row).await,
            Answer::Rows(rows) => connection.reply(&header, &rows).await,
            Answer::Contacts(rows, next) => connection.reply(&header, &(rows, next)).await,
            Answer::History(rows, next) => connection.reply(&header, &(rows, next)).await,
            Answer::Count(count) => connection.reply(&header, &count).await,
            Answer::Findings(rows) => connection.reply(&header, &rows).await,
            Answer::Error(name, sentence) => connection.reply_error(&header, name, &sentence).await,
            Answer::Silence => Ok(()),
        }
        .unwrap();
    }

    /// Lets something happen.
    pub(crate) async fn play(&mut self, step: Step) {
        match step {
            Step::Set(path, interface, props) => {
                let held = self.objects.get_mut(&path).unwrap().get_mut(interface).unwrap();
                held.extend(props.iter().map(|(name, value)| (name.clone(), value.try_clone().unwrap())));
                let body = (name(interface), props, Vec::<String>::new());
                self.signal(&path, "org.freedesktop.DBus.Properties", "PropertiesChanged", &body).await;
            }
            Step::Add(path, interface, props) => {
                let body = (
                    ObjectPath::try_from(path.as_str()).unwrap(),
                    HashMap::from([(name(interface), &props)]),
                );
                self.signal(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", &body).await;
                self.put(&path, interface, props);
            }
            Step::Remove(path, interface) => {
                self.objects.remove(&path);
                let body = (ObjectPath::try_from(path.as_str()).unwrap(), vec![name(interface)]);
                self.signal(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", &body).await;
            }
            Step::Event(kind, serial, data) => {
                self.signal(ROOT, "org.ahoyd.Calls1.Manager", "Event", &(kind, serial, data)).await;
            }
            Step::Come => self.connection.request_name("org.ahoyd.Calls1").await.unwrap(),
            Step::Leave => assert!(self.connection.release_name("org.ahoyd.Calls1").await.unwrap()),
        }
    }

    async fn signal(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) {
        self.connection.emit_signal(None::<&str>, path, interface, member, body).await.unwrap();
    }
}

pub(crate) async fn connect(bus: &PrivateBus) -> Connection {
    connection::Builder::address(bus.address().as_str()).build().await.unwrap()
}

fn name(interface: &str) -> String {
    format!("org.ahoyd.Calls1.{interface}")
}

fn full<'a>(object: &'a BTreeMap<&'static str, Dict>) -> HashMap<String, &'a Dict> {
    object.iter().map(|(interface, props)| (name(interface), props)).collect()
}

/// The path of a call.
pub(crate) fn call_path(number: u8) -> String {
    format!("{ROOT}/call_{}", format!("{number:02x}").repeat(16))
}

/// The properties of a call, its id made of one byte.
pub(crate) fn call(number: u8, name: &str, state: &str) -> Dict {
    let id = [4, 2, 2, 2, 6].map(|bytes| format!("{number:02x}").repeat(bytes)).join("-");
    dict! {
        "Id": id, "RemoteName": name.to_owned(), "RemoteAddress": format!("addr{name}"), "Contact": format!("c{number}"),
        "State": state.to_owned(), "StateReason": "", "EndedBy": "", "Direction": if state == "incoming" { "incoming" } else { "outgoing" },
        "CanAnswer": state == "incoming", "CanDecline": state == "incoming", "CanHangup": state != "disconnected",
        "CanMute": state != "disconnected", "Muted": false, "Serial": 1_u64, "CreatedAt": 1_000_000_i64 + i64::from(number),
        "AnsweredMonotonic": 0_u64,
    }
}

/// The end of a call.
pub(crate) fn ended(reason: &str) -> Dict {
    dict! {"State": "disconnected", "StateReason": reason.to_owned(), "EndedBy": "remote", "CanHangup": false, "CanMute": false,
    "CanAnswer": false, "CanDecline": false}
}

/// A running ahoyctl.
pub(crate) struct Stream {
    /// Killed when the stream is dropped.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}
