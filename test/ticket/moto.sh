#!/usr/bin/env bash
# moto's server as a private AWS, on loopback.
#   moto.sh start PORT PIDFILE LOG   starts it and waits until it answers; writes its process id to PIDFILE
#   moto.sh stop PIDFILE             ends exactly that process
# Not executable, so that script/test does not take it for a test: run it with bash.
. "$(dirname "$0")/../../script/lib.sh"

case ${1-} in
  start)
    port=$2 pidfile=$3 log=$4
    python=$("$PROJECT/script/moto-venv")/bin/python
    "$python" "$PROJECT/test/ticket/moto_server.py" -H 127.0.0.1 -p "$port" >"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    show_trouble() { tail -n 5 "$log" >&2; }
    wait_for_process "$(cat "$pidfile")" 30 "moto's server on port $port" curl -fs -o /dev/null "http://127.0.0.1:$port/moto-api/data.json"
    ;;
  stop) kill "$(cat "$2")" 2>/dev/null || true ;;
  *) die "usage: moto.sh start PORT PIDFILE LOG | stop PIDFILE" ;;
esac
