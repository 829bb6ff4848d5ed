# make demo       a real call between two people on this machine, measured; recordings and report in target/demo/
# make test       everything that is checked, in one command; ends with `N passed, N failed`
# make install    build and install for all users (PREFIX=/usr/local, DESTDIR=)
# make uninstall  the same files, removed
# make bench      figures, in target/bench/; PART=--plant checks that they see a planted delay
#
# Each installs what it needs first, where it can (see tests/lab/install.sh).

PREFIX ?= /usr/local
DESTDIR ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARIES := ahoyd ahoyctl ahoy-relay
# Puts the programs' folder into a service file.
PLACED := sed 's|/usr/bin/|$(PREFIX)/bin/|; s|@bindir@|$(PREFIX)/bin|'
# rustup's own folder, for a shell that has not been told of it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help demo test build bench install uninstall

help:
	@sed -n '1,5s/^# //p' Makefile

demo: build $(TARGET)/lab-python/ready
	@$(TARGET)/lab-python/bin/python tests/lab/demo.py $(TARGET)

build:
	@tests/lab/install.sh build rust
	@echo "Building (the first time takes some minutes)"
	@cargo build --quiet --release $(addprefix --package ,$(BINARIES))

# A Python of its own: PESQ and numpy are not in every distribution.
$(TARGET)/lab-python/ready: tests/lab/requirements.txt tests/lab/install.sh
	@tests/lab/install.sh demo sound
	@echo "Preparing Python for the measurements"
	@rm -rf $(TARGET)/lab-python && mkdir -p $(TARGET)
	@/usr/bin/python3 -m venv $(TARGET)/lab-python
	@$(TARGET)/lab-python/bin/pip install --quiet --disable-pip-version-check -r tests/lab/requirements.txt
	@touch $@

test:
	@tests/lab/install.sh build sound test rust
	@tests/all.sh $(TARGET)

bench:
	@tests/lab/install.sh build sound bench rust
	@echo "Building (the first time takes some minutes)"
	@cargo build --quiet --release $(addprefix --package ,$(BINARIES) ahoy-bench)
	@$(TARGET)/release/ahoy-bench $(PART)

install: build
	@install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/systemd/user lib/systemd/system share/dbus-1/services share/dbus-1/interfaces)
	@install -m 755 $(addprefix $(TARGET)/release/,$(BINARIES)) $(DESTDIR)$(PREFIX)/bin/
	@install -m 644 dbus/*.xml $(DESTDIR)$(PREFIX)/share/dbus-1/interfaces/
	@$(PLACED) dbus/org.ahoyd.Calls1.service >$(DESTDIR)$(PREFIX)/share/dbus-1/services/org.ahoyd.Calls1.service
	@$(PLACED) systemd/ahoyd.service >$(DESTDIR)$(PREFIX)/lib/systemd/user/ahoyd.service
	@$(PLACED) systemd/ahoy-relay.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/ahoy-relay.service
	@echo "Installed in $(DESTDIR)$(PREFIX). Start with: systemctl --user enable --now ahoyd"

uninstall:
	@rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(BINARIES))
	@rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/dbus-1/interfaces/,$(notdir $(wildcard dbus/*.xml)))
	@rm -f $(DESTDIR)$(PREFIX)/share/dbus-1/services/org.ahoyd.Calls1.service
	@rm -f $(DESTDIR)$(PREFIX)/lib/systemd/user/ahoyd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/ahoy-relay.service
