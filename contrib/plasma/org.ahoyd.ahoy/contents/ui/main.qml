// The call that matters, in a panel of Plasma 6. A sample: nobody has run it yet.
import QtQuick
import QtQuick.Layouts
import org.kde.plasma.plasmoid
import org.kde.plasma.core as PlasmaCore
import org.kde.plasma.components as PlasmaComponents
import org.kde.plasma.workspace.dbus as DBus

PlasmoidItem {
    id: root

    readonly property string service: "org.ahoyd.Calls1"
    readonly property string path: "/org/ahoyd/Calls1/focus"
    readonly property string iface: "org.ahoyd.Calls1.Focus"
    readonly property var call: watcher.registered ? focus.properties : ({})
    readonly property string state_: call.State ?? "idle"
    readonly property string line: {
        if (state_ === "idle")
            return call.Missed ? call.Missed + " missed" : "";
        const bad = ["fair", "poor", "lost"].includes(call.Quality) ? ", line " + call.Quality : "";
        const flags = bad + (call.SpeakingMuted ? ", you are muted" : call.Muted ? ", muted" : "") + (call.Held ? ", held" : "");
        const waiting = call.WaitingName ? " · " + call.WaitingName + " waits" : "";
        return call.PeerName + " " + state_ + flags + waiting;
    }
    // What can be done now, by the property that says so.
    readonly property var verbs: [
        { title: "Answer", able: call.CanAnswer, verb: "Answer" },
        { title: "Decline", able: call.CanDecline, verb: "Decline" },
        { title: call.Muted ? "Unmute" : "Mute", able: call.CanMute, verb: "ToggleMute" },
        { title: call.Held ? "Resume" : "Hold", able: call.CanHold, verb: "ToggleHold" },
        { title: "Hang up", able: call.CanHangup, verb: "Hangup" }
    ]

    function ask(verb) {
        const decline = verb === "Decline";
        DBus.SessionBus.asyncCall({
            service: service, path: path, iface: iface, member: verb,
            arguments: decline ? [new DBus.string("declined"), {}] : [{}],
            signature: decline ? "(sa{sv})" : "(a{sv})"
        });
    }

    Plasmoid.icon: "org.ahoyd.Ahoy"
    Plasmoid.status: state_ === "idle" ? PlasmaCore.Types.PassiveStatus : PlasmaCore.Types.ActiveStatus
    toolTipMainText: "Ahoy"
    toolTipSubText: line
    toolTipTextFormat: Text.PlainText

    DBus.DBusServiceWatcher {
        id: watcher
        busType: DBus.BusType.Session
        watchedService: root.service
        onRegisteredChanged: if (registered) focus.updateAll()
    }
    DBus.Properties {
        id: focus
        busType: DBus.BusType.Session
        service: root.service
        path: root.path
        iface: root.iface
    }

    fullRepresentation: ColumnLayout {
        PlasmaComponents.Label {
            text: root.line || "no call"
            textFormat: Text.PlainText
        }
        Repeater {
            model: root.verbs.filter(item => item.able)
            PlasmaComponents.Button {
                required property var modelData
                text: modelData.title
                onClicked: root.ask(modelData.verb)
            }
        }
    }
}
