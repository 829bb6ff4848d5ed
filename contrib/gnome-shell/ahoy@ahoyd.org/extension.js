// The call that matters, in the panel of GNOME Shell 45 or newer. A sample: its syntax is checked, nobody has run it yet.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import St from 'gi://St';
import Clutter from 'gi://Clutter';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as PanelMenu from 'resource:///org/gnome/shell/ui/panelMenu.js';
import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';

const NAME = 'org.ahoyd.Calls1';
const PATH = '/org/ahoyd/Calls1/focus';
const FOCUS = 'org.ahoyd.Calls1.Focus';
const NONE = () => new GLib.Variant('(a{sv})', [{}]);

// What can be done now, by the property that says so.
const VERBS = [
    ['Answer', 'CanAnswer', 'Answer', NONE],
    ['Decline', 'CanDecline', 'Decline', () => new GLib.Variant('(sa{sv})', ['declined', {}])],
    ['Mute or unmute', 'CanMute', 'ToggleMute', NONE],
    ['Hold or resume', 'CanHold', 'ToggleHold', NONE],
    ['Hang up', 'CanHangup', 'Hangup', NONE],
];

export default class AhoyExtension extends Extension {
    enable() {
        this._button = new PanelMenu.Button(0.5, 'Ahoy');
        this._label = new St.Label({y_align: Clutter.ActorAlign.CENTER});
        this._button.add_child(this._label);
        Main.panel.addToStatusArea(this.uuid, this._button);
        const flags = Gio.DBusProxyFlags.DO_NOT_AUTO_START;
        this._cancel = new Gio.Cancellable();
        Gio.DBusProxy.new_for_bus(Gio.BusType.SESSION, flags, null, NAME, PATH, FOCUS, this._cancel, (_, done) => {
            try {
                this._focus = Gio.DBusProxy.new_for_bus_finish(done);
            } catch (error) {
                return;   // disabled meanwhile, or no bus
            }
            this._signals = ['g-properties-changed', 'notify::g-name-owner']
                .map(signal => this._focus.connect(signal, () => this._show()));
            this._show();
        });
    }

    _get(name) {
        return this._focus?.get_cached_property(name)?.deepUnpack();
    }

    _show() {
        const state = this._focus?.g_name_owner ? this._get('State') : 'idle';
        const flags = [['SpeakingMuted', 'you are'], ['Muted', 'muted'], ['Held', 'held']]
            .filter(([name]) => this._get(name)).map(([, word]) => word);
        if (['fair', 'poor', 'lost'].includes(this._get('Quality')))
            flags.push(`line ${this._get('Quality')}`);
        const waiting = this._get('WaitingName') ? ` · ${this._get('WaitingName')} waits` : '';
        this._label.text = `☎ ${this._get('PeerName') ?? ''} ${[state, ...flags].join(', ')}${waiting}`;
        this._button.visible = state !== undefined && state !== 'idle';
        this._button.menu.removeAll();
        for (const [title, able, verb, body] of VERBS) {
            if (this._get(able))
                this._button.menu.addAction(title, () => this._call(verb, body()));
        }
    }

    _call(verb, body) {
        this._focus.call(verb, body, Gio.DBusCallFlags.NO_AUTO_START, 5000, null, (focus, done) => {
            try {
                focus.call_finish(done);
            } catch (error) {
                Main.notify('Ahoy', error.message);
            }
        });
    }

    disable() {
        this._cancel.cancel();
        this._signals?.forEach(signal => this._focus.disconnect(signal));
        this._button.destroy();
        this._button = this._label = this._focus = this._signals = this._cancel = null;
    }
}
