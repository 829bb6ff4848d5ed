//! One stream of PipeWire, on a thread of its own.
//!
//! Lives here: the connection, the look at which nodes there are, the stream and its properties.
//! Must not: decide when or what to try.
//!
//! Mono is offered with its position: then the session manager mixes it to all front channels of a loudspeaker, and all channels
//! of a microphone into it. A stream without positions would be linked to the first channel alone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use pipewire::channel::{Receiver, Sender, channel};
use pipewire::context::ContextRc;
use pipewire::core::{CoreRc, PW_ID_CORE};
use pipewire::main_loop::MainLoopRc;
use pipewire::properties::PropertiesBox;
use pipewire::spa::param::ParamType;
use pipewire::spa::param::audio::{AudioFormat, AudioInfoRaw, MAX_CHANNELS};
use pipewire::spa::pod::serialize::PodSerializer;
use pipewire::spa::pod::{Object, Pod, Value};
use pipewire::spa::sys::SPA_AUDIO_CHANNEL_MONO;
use pipewire::spa::utils::{Direction, SpaTypes};
use pipewire::stream::{StreamFlags, StreamRc, StreamState};
use pipewire::types::ObjectType;

use super::bridge::{Bridge, SAMPLE, Work};
use super::{APPLICATION, ICON, OpenError, Opening, Purpose, is_dummy};
use crate::media::codec::RATE;

/// How long the server may take to say what there is.
const ANSWERS: Duration = Duration::from_secs(2);

/// A stream that was made and does not run yet. Dropping it ends it, without waiting.
pub(super) struct OwnStream {
    orders: Sender<StreamOrder>,
}

enum StreamOrder {
    Run,
    /// Of so many frames.
    Block(u32),
    End,
}

impl OwnStream {
    /// Lets it run.
    pub(super) fn run(&self) -> bool {
        self.orders.send(StreamOrder::Run).is_ok()
    }

    pub(super) fn ask_for_block(&self, frames: u32) {
        // A loop that is over has no block.
        let _over = self.orders.send(StreamOrder::Block(frames));
    }
}

impl Drop for OwnStream {
    fn drop(&mut self) {
        // A loop that is over needs no order.
        let _over = self.orders.send(StreamOrder::End);
    }
}

/// Makes one; whether it is on the wished device.
pub(super) fn open(
    opening: &Opening<'_>,
    work: Work,
    broken: &Arc<AtomicBool>,
) -> Result<(OwnStream, bool), OpenError> {
    let (orders, taken) = channel();
    let (tell, told) = sync_channel(1);
    let line = OwnStream { orders };
    let plan = Plan {
        direction: match work {
            Work::Give(_) => Direction::Output,
            Work::Take(_) => Direction::Input,
        },
        wished: opening.wished.map(str::to_owned),
        frames: opening.frames,
        purpose: opening.purpose,
        broken: Arc::clone(broken),
    };
    let run = move || serve(&plan, Bridge::new(work), taken, &tell);
    std::thread::Builder::new().name("pipewire".into()).spawn(run).map_err(|_| OpenError::Silent)?;
    // Where nothing comes the line is dropped here, and the thread ends with its next look at the orders.
    let as_wished = told.recv_timeout(ANSWERS).map_err(|_| OpenError::Silent)??;
    Ok((line, as_wished))
}

struct Plan {
    direction: Direction,
    wished: Option<String>,
    frames: u32,
    purpose: Purpose,
    broken: Arc<AtomicBool>,
}

/// The thread.
fn serve(
    plan: &Plan,
    bridge: Bridge,
    orders: Receiver<StreamOrder>,
    tell: &SyncSender<Result<bool, OpenError>>,
) {
    // Who asked may have given up.
    if let Err(error) = connected(plan, bridge, orders, tell) {
        let _gone = tell.try_send(Err(OpenError::Server(error.to_string())));
    }
    plan.broken.store(true, Ordering::Relaxed);
}

fn connected(
    plan: &Plan,
    bridge: Bridge,
    orders: Receiver<StreamOrder>,
    tell: &SyncSender<Result<bool, OpenError>>,
) -> Result<(), pipewire::Error> {
    pipewire::init();
    let turns = MainLoopRc::new(None)?;
    let context = ContextRc::new(&turns, None)?;
    let core = context.connect_rc(None)?;
    let stream: Rc<RefCell<Option<StreamRc>>> = Rc::default();
    let ended = Rc::new(Cell::new(false));
    let _orders = orders.attach(turns.loop_(), {
        let (turns, stream, ended, broken) =
            (turns.clone(), Rc::clone(&stream), Rc::clone(&ended), Arc::clone(&plan.broken));
        move |order| match order {
            StreamOrder::Run => {
                if stream.borrow().as_ref().is_some_and(|stream| stream.set_active(true).is_err()) {
                    broken.store(true, Ordering::Relaxed);
                }
            }
            StreamOrder::Block(frames) => {
                if let Some(stream) = stream.borrow().as_ref() {
                    ask_for_block(stream, frames);
                }
            }
            StreamOrder::End => {
                ended.set(true);
                turns.quit();
            }
        }
    });
    let _errors = core
        .add_listener_local()
        .error({
            let (turns, broken) = (turns.clone(), Arc::clone(&plan.broken));
            move |id, _, _, _| {
                if id == PW_ID_CORE {
                    // The server is gone.
                    broken.store(true, Ordering::Relaxed);
                    turns.quit();
                }
            }
        })
        .register();
    let there = nodes(plan, &turns, &core)?;
    if ended.get() || plan.broken.load(Ordering::Relaxed) {
        return Ok(());
    }
    if there.is_empty() {
        let _gone = tell.try_send(Err(OpenError::NoDevice));
        return Ok(());
    }
    let wished = plan.wished.as_deref().filter(|wished| there.iter().any(|name| name == wished));
    let made = StreamRc::new(core.clone(), plan.purpose.name(), properties(plan, wished))?;
    let listening = made
        .add_local_listener_with_user_data(bridge)
        .state_changed({
            let broken = Arc::clone(&plan.broken);
            move |_, _, old, new| {
                let over = match new {
                    StreamState::Error(_) => true,
                    StreamState::Unconnected => old != StreamState::Unconnected,
                    StreamState::Connecting | StreamState::Paused | StreamState::Streaming => false,
                };
                broken.fetch_or(over, Ordering::Relaxed);
            }
        })
        .process(match plan.direction {
            Direction::Input => {
                |stream: &pipewire::stream::Stream, bridge: &mut Bridge| taken(stream, bridge)
            }
            _ => |stream: &pipewire::stream::Stream, bridge: &mut Bridge| given(stream, bridge),
        })
        .register()?;
    // The callbacks run on the library's data loop, not on this thread: one wake-up a block. This thread touches nothing of theirs.
    let mut flags = StreamFlags::MAP_BUFFERS | StreamFlags::RT_PROCESS;
    flags |= StreamFlags::INACTIVE | StreamFlags::AUTOCONNECT;
    flags.set(StreamFlags::DONT_RECONNECT, wished.is_some());
    let format = format();
    let mut params: Vec<&Pod> = Pod::from_bytes(&format).into_iter().collect();
    made.connect(plan.direction, None, flags, &mut params)?;
    *stream.borrow_mut() = Some(made.clone());
    let as_wished = plan.wished.is_none() || wished.is_some();
    if tell.try_send(Ok(as_wished)).is_ok() && !ended.get() {
        turns.run();
    }
    // In this order. The data loop lets go of what the callbacks work on; then they go, for which the library writes into the
    // stream, which they do not keep alive; at last the stream. Destroyed first it would be written to after it was freed.
    let _no_more = made.disconnect();
    drop(listening);
    *stream.borrow_mut() = None;
    Ok(())
}

/// The names of the nodes of this direction, once the server has told all. Its default can only be one of them.
fn nodes(plan: &Plan, turns: &MainLoopRc, core: &CoreRc) -> Result<Vec<String>, pipewire::Error> {
    let found: Rc<RefCell<Vec<String>>> = Rc::default();
    let class = if plan.direction == Direction::Output { "Audio/Sink" } else { "Audio/Source" };
    let registry = core.get_registry_rc()?;
    let _globals = registry
        .add_listener_local()
        .global({
            let found = Rc::clone(&found);
            move |global| {
                let Some(props) = global.props.filter(|_| global.type_ == ObjectType::Node) else { return };
                let of_it = |media: &str| media.starts_with(class) || media == "Audio/Duplex";
                if !props.get("media.class").is_some_and(of_it) {
                    return;
                }
                let name = props.get("node.name").unwrap_or_default();
                if !is_dummy(name) {
                    found.borrow_mut().push(name.to_owned());
                }
            }
        })
        .register();
    let asked = core.sync(0)?;
    let _answered = core
        .add_listener_local()
        .done({
            let turns = turns.clone();
            move |id, answered| {
                if id == PW_ID_CORE && answered == asked {
                    turns.quit();
                }
            }
        })
        .register();
    turns.run();
    Ok(found.take())
}

/// How others see the stream: a mixer shows and remembers it by them, and what acts on the role of a call knows it.
fn properties(plan: &Plan, wished: Option<&str>) -> PropertiesBox {
    let mut all = PropertiesBox::new();
    let category = if plan.direction == Direction::Output { "Playback" } else { "Capture" };
    all.insert("media.type", "Audio");
    all.insert("media.category", category);
    all.insert("media.role", plan.purpose.pipewire_role());
    all.insert("media.name", plan.purpose.name());
    all.insert("node.name", "ahoy");
    all.insert("application.name", "ahoy");
    all.insert("application.id", APPLICATION);
    all.insert("application.icon_name", ICON);
    all.insert("application.process.id", std::process::id().to_string());
    all.insert(LATENCY, latency(plan.frames));
    if plan.purpose == Purpose::Voice {
        // Microphone and loudspeaker in the same block, or they drift apart.
        all.insert("node.group", format!("ahoy-{}", std::process::id()));
    }
    if let Some(wished) = wished {
        all.insert("target.object", wished);
    }
    all
}

const LATENCY: &str = "node.latency";

fn latency(frames: u32) -> String {
    format!("{frames}/{RATE}")
}

/// The graph takes the least that any of its streams asks for, with the next cycle.
#[expect(unsafe_code, reason = "the library's safe form has no such call")]
fn ask_for_block(stream: &pipewire::stream::Stream, frames: u32) {
    let mut news = PropertiesBox::new();
    news.insert(LATENCY, latency(frames));
    // SAFETY: both pointers are to what lives until the call returns; it copies the words.
    let changed =
        unsafe { pipewire::sys::pw_stream_update_properties(stream.as_raw_ptr(), news.dict().as_raw_ptr()) };
    tracing::debug!(frames, changed, "another block is asked for");
}

/// Mono floats, 48 kHz.
fn format() -> Vec<u8> {
    let mut position = [0; MAX_CHANNELS];
    position[0] = SPA_AUDIO_CHANNEL_MONO;
    let mut audio = AudioInfoRaw::new();
    audio.set_format(AudioFormat::F32LE);
    audio.set_rate(RATE);
    audio.set_channels(1);
    audio.set_position(position);
    let object = Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: ParamType::EnumFormat.as_raw(),
        properties: audio.into(),
    };
    let written = PodSerializer::serialize(std::io::Cursor::new(Vec::new()), &Value::Object(object));
    written.map(|(bytes, _)| bytes.into_inner()).unwrap_or_default()
}

/// Inside the callback of a loudspeaker.
fn given(stream: &pipewire::stream::Stream, bridge: &mut Bridge) {
    let Some(mut buffer) = stream.dequeue_buffer() else { return };
    let wanted = usize::try_from(buffer.requested()).unwrap_or(usize::MAX);
    let Some(data) = buffer.datas_mut().first_mut() else { return };
    let Some(bytes) = data.data() else { return };
    let length = wanted.min(bytes.len() / SAMPLE) * SAMPLE;
    bridge.fill(&mut bytes[..length]);
    let chunk = data.chunk_mut();
    *chunk.offset_mut() = 0;
    *chunk.stride_mut() = 4;
    *chunk.size_mut() = u32::try_from(length).unwrap_or(0);
}

/// Inside the callback of a microphone.
fn taken(stream: &pipewire::stream::Stream, bridge: &mut Bridge) {
    let Some(mut buffer) = stream.dequeue_buffer() else { return };
    let Some(data) = buffer.datas_mut().first_mut() else { return };
    let (offset, size) = (data.chunk().offset(), data.chunk().size());
    let (offset, size) = (usize::try_from(offset).unwrap_or(0), usize::try_from(size).unwrap_or(0));
    if let Some(bytes) = data.data().and_then(|bytes| bytes.get(offset..offset + size)) {
        bridge.drain(bytes);
    }
}
