#!/bin/sh
# Lines for a polybar module: one for each change, and one for each second of a call; empty when there is nothing to show.
# `%{` begins a format tag in polybar: a name that holds one shows it apart.
exec ahoyctl watch --format "\
{%- set name = focus.peer_name | replace('%{', '% {') -%}\
{%- if state == 'incoming' %}☎ {{ name }} calls\
{%- elif state == 'idle' %}{% if focus.missed %}✆ {{ focus.missed }} missed{% endif %}\
{%- else %}{{ name }} {{ duration(since) }}{% if focus.speaking_muted %} (you are muted){% elif focus.muted %} (muted){% endif %}{% if focus.held %} (held){% endif %}\
{% if focus.quality in ['fair', 'poor', 'lost'] %} ({{ focus.quality }}){% endif %}\
{%- endif %}"
