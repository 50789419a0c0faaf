#!/usr/bin/env bash
# Streams under load and in trouble: nothing is lost, nothing grows, nobody waits for ever.
. "$(dirname "$0")/support.sh"
CTR=$(type -P ctr)
anonymous() { awk '$1 == "RssAnon:" { print $2 }' "/proc/$1/status"; }  # kB
one_shim() { shims | head -1; }

step "300 MB through stdout arrive whole, and the shim's memory does not grow"
run_container -d box sleep 1000
shim=$(one_shim)
ctr task exec --exec-id warm box sh -c 'head -c 1000000 /dev/zero' >/dev/null
before=$(anonymous "$shim")
equal "$(CTR_LIMIT=120 ctr task exec --exec-id big box sh -c 'head -c 300000000 /dev/zero' | wc -c)" 300000000
after=$(anonymous "$shim")
[ "${FLOX_TEST_SHIM:-}" ] || [ "$after" -le $((before + 128)) ] || die "the shim grew from $before kB to $after kB"

step "a reader that is slow holds the writer up, not the shim"
mkfifo "$WORLD/slow"
"$CTR" task exec --exec-id slow box sh -c 'head -c 20000000 /dev/zero; echo end >&2' >"$WORLD/slow" 2>"$WORLD/slow.err" </dev/null &
client=$!
exec 8<"$WORLD/slow"
head -c 1000000 <&8 | wc -c >/dev/null
equal "$(ctr task exec --exec-id quick box echo answered)" answered
[ ! -s "$WORLD/slow.err" ] || die "20 MB went into a pipe that nobody reads"
equal "$(cat <&8 | wc -c)" 19000000
exec 8<&-
wait $client
equal "$(cat "$WORLD/slow.err")" end

step "30 MB in on stdin come out on stdout"
head -c 30000000 /dev/urandom >"$WORLD/random"
CTR_LIMIT=120 ctr run --rm --runtime "$SHIM" --env PATH=/bin --rootfs "$ROOTFS" through cat <"$WORLD/random" >"$WORLD/through"
cmp "$WORLD/random" "$WORLD/through"
rm "$WORLD/random" "$WORLD/through"

step "the last bytes of a process that ends at once arrive, 50 times"
for i in $(seq 50); do
  equal "$(ctr task exec --exec-id "last$i" box sh -c 'head -c 60000 /dev/zero | tr "\0" x; echo; echo end' | tail -1)" end
done

if [[ $(ctr version) != *"Version:  v2."* ]]; then  # the client of 2.x itself waits for the streams' end, whatever the shim does
  step "a grandchild that keeps the streams holds up nobody for ever"
  began=$SECONDS
  equal "$(code ctr task exec --exec-id keeper box sh -c 'sleep 600 & exit 3')" 3
  [ $((SECONDS - began)) -lt 40 ] || die "the client waited $((SECONDS - began)) s for a grandchild"
  ctr task exec --exec-id tidy box sh -c 'pkill -f "sleep 600" || killall sleep' >/dev/null 2>&1 || true
fi

step "execs leave no descriptor in the shim, and get none of its own"
count() { ls "/proc/$shim/fd" | wc -l; }
ctr task exec --exec-id first box true
wait_until 15 "streams to be closed" eval '! ls -l /proc/'"$shim"'/fd | grepq "fifo/.*keeper"'
before=$(count)
for i in $(seq 40); do ctr task exec --exec-id "fd$i" box true; done
wait_until 15 "descriptors to be closed: $before before" eval '[ "$(count)" -le '"$before"' ]'
equal "$(ctr task exec --exec-id fds box sh -c 'ls /proc/$$/fd; :' | xargs)" "0 1 2"

step "an exec whose client has gone away runs on and can be deleted"
# The client is killed while its process writes: the process gets no signal, its output is dropped.
"$CTR" task exec --exec-id orphaned box sh -c 'i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i + 1)); sleep 0.05; done; echo done >/tmp/orphaned' >/dev/null </dev/null &
client=$!
wait_until 10 "the exec to run" eval 'ctr task ps box | grepq orphaned'
kill -9 $client
wait $client 2>/dev/null || true
wait_until 20 "the exec to come to its end" test -e "$ROOTFS/tmp/orphaned"
rm -f "$ROOTFS/tmp/orphaned"
end_container box

step "a logging program that dies or is slow does not stop the container"
cat >"$WORLD/dying" <<'SH'
#!/bin/sh
exec 5>&-
head -c 10 <&3 >/dev/null
exit 1
SH
cat >"$WORLD/lazy" <<'SH'
#!/bin/sh
exec 5>&-
sleep 1
cat <&3 >"$2"
SH
chmod +x "$WORLD/dying" "$WORLD/lazy"
run_container -d --log-uri "binary://$WORLD/dying" dying sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo a line of text || exit 9; sleep 0.1; done; exit 4'
wait_until 20 "it to end" is_status dying STOPPED
end_container dying
run_container -d --log-uri "binary://$WORLD/lazy?--to=$WORLD/lazy.out" lazy sh -c 'echo late but there; exit 0'
wait_until 20 "it to end" is_status lazy STOPPED
end_container lazy
# The reference gives its logging programs no time to write what they have read.
[ -n "${FLOX_TEST_SHIM:-}" ] || wait_until 10 "the text to be written" grep -q 'late but there' "$WORLD/lazy.out"

step "a logging program that cannot start is an error"
printf '#!/no/such/interpreter\n' >"$WORLD/broken"
chmod +x "$WORLD/broken"
refused "$WORLD/broken" run_container -d --log-uri "binary://$WORLD/broken" broken true
ctr container delete broken >/dev/null 2>&1 || true
expect_nothing_left
