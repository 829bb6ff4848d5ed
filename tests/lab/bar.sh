#!/bin/bash
# A bar of a real desktop with a real call in it, as pictures. Runs inside user-manager.sh, as the made-up user.
#
# Prints what waybar was told and, for each picture, `PICTURE name` with the base64 of a PNG up to an empty line.
#
# Lives here: sway without a screen, waybar with the module of contrib/, the moments that are looked at.
# Must not: judge a picture: somebody looks at it.
. "$HOME/service.sh"

export WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman WLR_HEADLESS_OUTPUTS=1 XDG_CURRENT_DESKTOP=sway
sway --validate -c contrib/sway/ahoy.conf >sway.said 2>&1 && ! grep -q 'Error on line' sway.said || fail "sway on its keys: $(cat sway.said)"
two_people
mkdir -p .config/waybar
cat >.config/waybar/config <<JSON
{ "layer": "top", "position": "top", "height": 32, "modules-center": ["custom/ahoy"],
  "modules-right": ["clock"], "clock": { "format": "{:%H:%M}" },
$(cat contrib/waybar/config.jsonc)
}
JSON
{ echo '* { font-family: "DejaVu Sans"; font-size: 16px; } window#waybar { background: #202830; color: #ffffff; }'
  cat contrib/waybar/style.css; } >.config/waybar/style.css
{ cat contrib/sway/ahoy.conf; echo 'output HEADLESS-1 resolution 900x120'; } >sway.conf
sway -c sway.conf >sway.log 2>&1 &
socket() { display=$(cd "$XDG_RUNTIME_DIR" && ls wayland-? 2>/dev/null | head -1) && [ -n "$display" ]; }
end=$((SECONDS + 20)); until socket; do [ $SECONDS -lt $end ] || fail "no sway: $(tail -3 sway.log)"; sleep 0.05; done
export WAYLAND_DISPLAY=$display
waybar >waybar.log 2>&1 &
ahoyctl watch --waybar >lines &
contrib/polybar/ahoy.sh >polybar &

picture() { # picture NAME PATTERN: once the module was told so
  local seen=0
  within 30 tail_has "$2" || fail "waybar was not told '$2': $(tail -n1 lines)"
  # Drawn when two pictures in a row are alike.
  grim before.png 2>/dev/null || true
  while [ $seen -lt 50 ]; do
    sleep 0.2; grim shot.png || fail "no picture: $(tail -3 sway.log)"
    ! cmp -s before.png shot.png || break
    mv shot.png before.png; seen=$((seen + 1))
  done
  [ -f shot.png ] || mv before.png shot.png
  echo "PICTURE $1"; base64 shot.png; echo
}
tail_has() { tail -n1 lines | grep -q "$1"; }

ben ahoyctl call Nora >/dev/null || fail "Ben cannot call"
picture incoming '"alt":"incoming"'
busctl --user call org.ahoyd.Calls1 /org/ahoyd/Calls1/focus org.ahoyd.Calls1.Focus Answer 'a{sv}' 0 || fail "Focus does not answer"
ahoyctl wait --state active --timeout 30 >/dev/null || fail "no sound flows"
picture active '"alt":"active".* 00:0[2-9]"'
busctl --user call org.ahoyd.Calls1 /org/ahoyd/Calls1/focus org.ahoyd.Calls1.Focus ToggleMute 'a{sv}' 0 >/dev/null || fail "Focus does not mute"
picture muted '"active","muted"'
busctl --user call org.ahoyd.Calls1 /org/ahoyd/Calls1/focus org.ahoyd.Calls1.Focus Hangup 'a{sv}' 0 || fail "Focus does not hang up"
ben ahoyctl wait --timeout 20 >/dev/null
ben ahoyctl call Nora >/dev/null && within 20 tail_has '"alt":"incoming"' && ben ahoyctl hangup >/dev/null || fail "no second call"
picture missed '1 missed'
echo "TOLD"; cut -c1-160 lines | sort -u | head -n 40; echo
echo "POLYBAR"; sort -u polybar | head -n 40; echo
