"""What a desktop's RealtimeKit gives to threads that ask for it, on a private bus, without its policy.

Lives here: the methods and limits of org.freedesktop.RealtimeKit1.
Must not: promote anybody who did not ask.
"""

import os
import threading

from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.RealtimeKit1"
LIMITS = {"RTTimeUSecMax": ("x", 200_000), "MaxRealtimePriority": ("i", 20), "MinNiceLevel": ("i", -15)}


class RealtimeKit:
    """Serves on that bus until the bus ends. `promoted` has (thread, priority) of all who asked and got it."""

    def __init__(self, bus):
        self.bus, self.promoted = open_dbus_connection(bus=bus), []
        self.bus.send_and_get_reply(message_bus.RequestName(NAME))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                message = self.bus.receive()
                if message.header.message_type == MessageType.method_call:
                    self.bus.send(self.answer(message))
            except (ConnectionError, OSError):
                return

    def answer(self, message):
        member, body = message.header.fields.get(HeaderFields.member), message.body
        if member == "Get" and body[1] in LIMITS:
            return new_method_return(message, "v", (LIMITS[body[1]],))
        if member == "GetAll":
            return new_method_return(message, "a{sv}", (LIMITS,))
        try:
            # Who may ask for the threads of another process names that one first.
            if member == "MakeThreadRealtimeWithPID":
                _, thread, priority = body
                os.sched_setscheduler(thread, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
            elif member == "MakeThreadHighPriorityWithPID":
                _, thread, priority = body
                os.setpriority(os.PRIO_PROCESS, thread, priority)
            elif member in ("MakeThreadRealtime", "MakeThreadHighPriority"):
                return self.answer(self.with_process(message, member, body))
            else:
                return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
        except (PermissionError, ProcessLookupError):
            return new_error(message, "org.freedesktop.DBus.Error.AccessDenied")
        self.promoted.append((thread, priority))
        return new_method_return(message)

    @staticmethod
    def with_process(message, member, body):
        message.header.fields[HeaderFields.member] = member + "WithPID"
        message.body = (0, *body)
        return message
