# make demo       a real call between two people on this machine, measured; recordings and report in target/demo/
#                 BUSY=2: so many programs that never rest run beside it
# make demo-group six people in one call, first by paths of their own, then in a room of a real LiveKit server, measured at every
#                 speaker; recordings and report in target/demo-group/
# make busy-day   a day of three people, command by command: waiting, hold, a missed call, do-not-disturb
# make first-call newcomers with empty homes, at home with no server and by a relay: first start, a code, a card, first call,
#                 command by command
# make first-group  a call of many by ahoyctl and by the bus: started, joined, left, entered again, ended, command by command
# make echo       a call from a room with an echo, with and without voice processing; report in target/echo/
# make sound      calls on bad lines and a busy machine, on PipeWire and PulseAudio: how they sound and what they must reach; 25 minutes
#                 CASES="loss10 rate48" SERVERS=pulseaudio SEED=1 TRIES=3; PROGRAMS=FOLDER: those there; report in target/sound/
#                 BESIDE=baresip: what a call weighs and nine conditions, beside that program in one run
# make test-net   calls through networks of every kind, and what a break of the path costs: a table, and target/net/report.jsonl
#                 CASES="nat-both loss5", TRIES=10 (FULL=1: 100), PROGRAMS=FOLDER: those there
# make pairings   how soon two are contacts once a code is typed, near and far; into target/bench/meeting.jsonl
# make capture-hour  what a stranger reads in an hour or two at home: a pairing, calls, two changes of the hour
# make setups     how soon a call rings and is heard, near and far, on both sound servers; target/bench/setups.jsonl
#                 CASES="rtt50 direct-pulse", TRIES=20, PROGRAMS=FOLDER: those there; BESIDE=baresip: that program's as well
# make trips      each packet from Dial to the ring, with its time, on a line of RTT=50 ms
# make test       everything that is checked, in one command; ends with `N passed, N failed`
# make install    build and install for all users (PREFIX=/usr/local, DESTDIR=)
# make uninstall  the same files, removed
# make look       pictures of the pop-up and of a missed call, in target/look/
# make bench      figures, in target/bench/; PART=--plant checks that they see a planted delay
#                 AGAINST=FOLDER: is any worse than with the checkout there? PAIRS=10 (PART=--plant: must find a planted slowness)
# make interop    calls with Chromium, Firefox and Python's aiortc; report in target/interop/
#                 PEERS=chromium CASES="glare hold-theirs": those alone
# make nightly    random calls with fresh seeds until stopped (SECONDS=60: so long)
# make deb        a Debian package, in target/debian/
# make look-waybar  a bar with a call in it, as a picture
# make mutants    changes the rules of calling in every way, one at a time, and says what no test notices (call/MUTANTS.md)
# make soak       half an hour of calls and faults (MINUTES=60: longer), and nothing may be left open; report in target/soak/
# make fuzz       explores what strangers can send us, MINUTES=10 (PLANT=1: must find a planted panic); report in target/fuzz/
# make crash      kills daemons in the middle of calls and looks what is left; crash-nightly: a thousand times
# make hostile    attacks a relay and daemons over the wire while others call each other; report in target/hostile/
# make test-rooms rooms on a real LiveKit server, which is built first (once, some minutes; Go is needed), with LiveKit's own client
#                 FIGURES=1: how soon one is heard on lines of 0, 50 and 100 ms, a hundred joins where a tenth gets lost, and for how
#                 long nothing is heard when one of two interfaces goes
# make group-setups  how soon who answers or joins a group is heard, in a mesh and in a room, beside a call of two;
#                 target/bench/group-setups.jsonl
# make room-of-ten  what one of ten weighs in a room in which three speak, and how that sounds, beside LiveKit's own client; also where a
#                 twentieth gets lost; target/bench/room-of-ten.jsonl
# make old-peer   calls from and to the first release, built from this history, over the relays of both
#
# Each installs what it needs first, where it can (see tests/lab/install.sh).

PREFIX ?= /usr/local
DESTDIR ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARIES := ahoyd ahoyctl ahoy-relay
# rustup's own folder, for a shell that has not been told of it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo demo-group sound test-net setups pairings capture-hour trips echo busy-day first-call first-group look test build bench soak crash crash-nightly mutants papers install uninstall deb look-waybar nightly old-peer test-rooms room-of-ten group-setups fuzz hostile interop

help:
	@sed -n '1,/^$$/s/^# //p' Makefile

demo: build $(TARGET)/lab-python/ready
	@$(TARGET)/lab-python/bin/python tests/lab/demo.py $(TARGET) busy=$(BUSY)

demo-group: build $(TARGET)/lab-python/ready
	@tests/lab/livekit.sh >/dev/null && cargo build --quiet --release --package ahoy-bench --bin room-tap || true
	@$(TARGET)/lab-python/bin/python tests/lab/demo_group.py $(TARGET)

# SESSION=-20: where others compile beside it (the nice value of the daemons' sessions). VOICE=auto: with what improves a microphone.
sound: $(if $(PROGRAMS),,build) $(TARGET)/lab-python/ready
	@tests/lab/install.sh build line $(if $(BESIDE),beside) rust
	@cargo build --quiet --release --package ahoy-tests --bin emulator
	@$(TARGET)/lab-python/bin/python tests/lab/sound_cases.py $(TARGET) "programs=$(PROGRAMS)" "cases=$(CASES)" "servers=$(SERVERS)" \
	  "seed=$(SEED)" "tries=$(TRIES)" "voice=$(VOICE)" "session=$(SESSION)" "beside=$(BESIDE)"

test-net: $(if $(PROGRAMS),,build) $(TARGET)/lab-python/ready
	@tests/lab/install.sh build line net rust
	@cargo build --quiet --release --package ahoy-tests --bin emulator
	@$(TARGET)/lab-python/bin/python tests/lab/net_cases.py $(TARGET) "programs=$(PROGRAMS)" "cases=$(CASES)" \
	  "tries=$(or $(TRIES),$(if $(FULL),100))"

setups: $(if $(PROGRAMS),,build) $(TARGET)/lab-python/ready
	@tests/lab/install.sh build line $(if $(BESIDE),beside) rust
	@cargo build --quiet --release --package ahoy-tests --bin emulator
	@$(TARGET)/lab-python/bin/python tests/lab/setups.py $(TARGET) "programs=$(PROGRAMS)" "cases=$(CASES)" "tries=$(TRIES)" "beside=$(BESIDE)"

pairings: $(if $(PROGRAMS),,build) $(TARGET)/lab-python/ready
	@tests/lab/install.sh build line rust
	@cargo build --quiet --release --package ahoy-tests --bin emulator
	@$(TARGET)/lab-python/bin/python tests/lab/pairings.py $(TARGET) "programs=$(PROGRAMS)" "tries=$(TRIES)"

capture-hour:
	@tests/lab/install.sh build net rust
	@cargo build --quiet --workspace --bins
	@cargo test --workspace --test neighbours -- --ignored --nocapture an_hour_by_the_clock

# RTT=50: milliseconds to each other and back.
trips: build $(TARGET)/lab-python/ready
	@tests/lab/install.sh build line rust
	@cargo build --quiet --release --package ahoy-tests --bin emulator
	@$(TARGET)/lab-python/bin/python tests/lab/trips.py $(TARGET) "rtt=$(RTT)"

busy-day: build
	@tests/lab/install.sh sound trace
	@tests/lab/busy-day.sh $(TARGET)/release

first-call: build
	@tests/lab/install.sh sound
	@tests/lab/first-call.sh $(TARGET)/release
	@echo; echo 'And with a relay:'; tests/lab/first-relay.sh $(TARGET)/release

first-group: build
	@tests/lab/install.sh sound bus
	@tests/lab/first-group.sh $(TARGET)/release

echo: build $(TARGET)/lab-python/ready
	@$(TARGET)/lab-python/bin/python tests/lab/echo.py $(TARGET)

build:
	@tests/lab/install.sh build rust
	@echo "Building: some minutes the first time, with a line for each of some 400 parts; then seconds"
	@cargo build --release $(addprefix --package ,$(BINARIES))

# A Python of its own: PESQ and numpy are not in every distribution.
$(TARGET)/lab-python/ready: tests/lab/requirements.txt tests/lab/install.sh
	@tests/lab/install.sh demo sound
	@echo "Preparing Python for the measurements: PESQ is built from its sources, which takes a minute"
	@rm -rf $(TARGET)/lab-python && mkdir -p $(TARGET)
	@/usr/bin/python3 -m venv $(TARGET)/lab-python
	@$(TARGET)/lab-python/bin/pip install --quiet --disable-pip-version-check -r tests/lab/requirements.txt
	@touch $@

test: $(TARGET)/lab-python/ready
	@tests/lab/install.sh build sound trace test line net desktop rust
	@tests/all.sh $(TARGET)

# What a person sees of a ring and of a missed call, as pictures.
look:
	@tests/lab/install.sh build test desktop rust
	@mkdir -p $(TARGET)/look
	@cargo build --workspace --bins
	@AHOY_LOOK=$(abspath $(TARGET)/look) cargo test --package ahoy-tests --test desktop_lab
	@echo "Pictures: $(TARGET)/look/"

# Four people call each other while their world breaks and is mended; the report is target/soak/report.json.
soak:
	@tests/lab/install.sh build test sound rust
	@cargo build --release $(addprefix --package ,$(BINARIES) ahoy-bench)
	@cargo build --release --package ahoy-tests --bin soak
	@$(TARGET)/release/soak $(or $(MINUTES),30) $(PLANT)

# ATTACK="pings held_sockets": only those.
hostile: build
	@tests/lab/install.sh hostile
	@[ -e $(TARGET)/hostile-python/ready ] || { /usr/bin/python3 -m venv $(TARGET)/hostile-python && \
	  $(TARGET)/hostile-python/bin/pip install --quiet --disable-pip-version-check -r tests/hostile/requirements.txt && \
	  touch $(TARGET)/hostile-python/ready; }
	@$(TARGET)/hostile-python/bin/python tests/hostile/hostile.py $(TARGET)/release $(TARGET)/hostile/report.json $(ATTACK)

# Kills daemons in the middle of calls, 200 times; the report is target/crash/report.json.
crash:
	@tests/lab/install.sh build test sound rust
	@cargo build --workspace --bins
	@cargo run --quiet --package ahoy-tests --bin crash -- 200

crash-nightly:
	@tests/lab/install.sh build test sound rust
	@cargo build --workspace --bins
	@cargo run --quiet --package ahoy-tests --bin crash -- 1000

# Calls between today's programs and those of the first release. OLD=FOLDER: where the latter are already.
old-peer: build
	@tests/lab/install.sh build sound rust
	@tests/lab/old-peer.sh $(TARGET) $(OLD)

test-rooms: $(TARGET)/room-python/ready
	@tests/lab/install.sh build room rust
	@tests/lab/livekit.sh >/dev/null
	@cargo test --workspace --test rooms -- --ignored --skip figures --test-threads 2
	@cargo test --workspace --test room_calls -- --ignored --test-threads 1
	@$(if $(FIGURES),tests/lab/install.sh line net && cargo build --quiet --workspace --bin emulator && \
	  $(TARGET)/room-python/bin/python tests/lab/room_figures.py $(TARGET) "tries=$(TRIES)" "joins=$(JOINS)")

room-of-ten: build $(TARGET)/lab-python/ready $(TARGET)/room-python/ready
	@tests/lab/install.sh net
	@tests/lab/livekit.sh >/dev/null
	@$(TARGET)/lab-python/bin/python tests/lab/room_of_ten.py $(TARGET) $(if $(LINES),lines=$(LINES)) $(if $(SECONDS),seconds=$(SECONDS))

group-setups: $(if $(PROGRAMS),,build) $(TARGET)/lab-python/ready
	@tests/lab/install.sh line net
	@tests/lab/livekit.sh >/dev/null
	@$(TARGET)/lab-python/bin/python tests/lab/group_setups.py $(TARGET) $(if $(PROGRAMS),programs=$(PROGRAMS)) "tries=$(TRIES)"

$(TARGET)/room-python/ready: tests/lab/requirements-room.txt
	@tests/lab/install.sh room
	@rm -rf $(TARGET)/room-python && mkdir -p $(TARGET)
	@/usr/bin/python3 -m venv $(TARGET)/room-python
	@$(TARGET)/room-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# FILES="call/leg.rs phone/glare.rs": only those.
mutants:
	@tests/lab/install.sh rust mutants
	@tests/mutants.sh $(TARGET) $(FILES)

nightly:
	@AHOY_NIGHTLY_SECONDS=$(SECONDS) cargo test --quiet --package ahoy-tests --test anything_goes fresh_lists -- --ignored --nocapture

# Every target of fuzz/ gets its share of the minutes.
fuzz:
	@tests/lab/install.sh build fuzz rust
	@tests/fuzz.sh $(TARGET) $(or $(MINUTES),10)

bench:
	@tests/lab/install.sh build sound bench rust
	@echo "Building: some minutes the first time, with a line for each part; then seconds"
	@cargo build --release $(addprefix --package ,$(BINARIES) ahoy-bench)
ifdef AGAINST
# Both as they are released: without what the benchmark asks of their parts.
	@cargo build --release $(addprefix --package ,$(BINARIES))
	@cd $(AGAINST) && cargo build --release --target-dir target $(addprefix --package ,$(BINARIES))
	@$(if $(filter --plant,$(PART)),cargo build --package ahoyd)
	@$(TARGET)/release/ahoy-bench --against $(AGAINST)/target/release $(or $(PAIRS),10) $(PART)
else
	@$(TARGET)/release/ahoy-bench $(PART)
endif

# As the tests are built: nothing here is timed closely.
interop: $(TARGET)/interop-python/ready
	@tests/lab/install.sh build interop rust
	@cargo build --quiet --workspace --bin interop
	@$(TARGET)/debug/interop $(PEERS) $(if $(CASES),--case $(CASES))

$(TARGET)/interop-python/ready: bench/src/bin/interop/requirements.txt
	@tests/lab/install.sh interop
	@rm -rf $(TARGET)/interop-python && mkdir -p $(TARGET)
	@/usr/bin/python3 -m venv $(TARGET)/interop-python
	@$(TARGET)/interop-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Man pages and completions, out of the programs' own command lines.
papers: build
	@cargo build --release --package ahoy-papers
	@cargo run --quiet --release --package ahoy-papers -- $(TARGET)/papers

install: papers
	@packaging/files.sh install $(PREFIX) "$(DESTDIR)" $(TARGET)
	@echo "Installed in $(DESTDIR)$(PREFIX). To be reachable from login on: systemctl --user enable --now ahoyd. Then: ahoyctl status"

uninstall:
	@packaging/files.sh uninstall $(PREFIX) "$(DESTDIR)" $(TARGET)

deb: papers
	@rm -f $(TARGET)/debian/ahoy_*.deb
	@tests/lab/install.sh deb
# cargo-deb finds what is built below release/ alone.
	@rm -rf $(TARGET)/release/papers && cp -r $(TARGET)/papers $(TARGET)/release/ && install -d $(TARGET)/release/papers/placed
	@sed 's|@bindir@|/usr/bin|' dbus/org.ahoyd.Calls1.service >$(TARGET)/release/papers/placed/org.ahoyd.Calls1.service
	@cargo deb --quiet --package ahoyd --no-build --output $(TARGET)/debian/ >/dev/null
	@packaging/check-deb.sh $(TARGET) $(TARGET)/debian/ahoy_*.deb

look-waybar: build
	@tests/lab/install.sh demo sound look
	@tests/lab/look-waybar.sh $(TARGET)
