#!/usr/bin/env bash
# moto's server as a private AWS, on loopback.
#   moto.sh start PORT PIDFILE LOG   starts it and waits until it answers; writes its process id to PIDFILE
#   moto.sh stop PIDFILE             ends exactly that process
# Not executable, so that script/test does not take it for a test: run it with bash.
. "$(dirname "$0")/../../script/lib.sh"

case ${1-} in
  start)
    port=$2 pidfile=$3 log=$4
    server=$("$PROJECT/script/moto-venv")/bin/moto_server
    "$server" -H 127.0.0.1 -p "$port" >"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    for _ in $(seq 300); do
      curl -fs -o /dev/null "http://127.0.0.1:$port/moto-api/data.json" && exit 0
      kill -0 "$(cat "$pidfile")" 2>/dev/null || { tail -n 5 "$log" >&2; die "moto's server ended at once"; }
      sleep 0.1
    done
    die "moto's server does not answer on port $port"
    ;;
  stop) kill "$(cat "$2")" 2>/dev/null || true ;;
  *) die "usage: moto.sh start PORT PIDFILE LOG | stop PIDFILE" ;;
esac
