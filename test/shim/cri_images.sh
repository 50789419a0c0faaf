# The images that critest asks for, made of busybox and shell, under the names that it asks for. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

# copy_program ROOT PROGRAM: with the libraries that it is linked with.
copy_program() {
  local file
  install -D "$2" "$1/bin/$(basename "$2")"
  for file in $(ldd "$2" | grep -o '/[^ ]*'); do install -D "$file" "$1$file"; done
}

# make_cri_images DIR: an OCI layout in DIR/layout.
make_cri_images() {
  local root=$1/root layout=$1/layout e2e=registry.k8s.io/e2e-test-images own=gcr.io/k8s-staging-cri-tools user
  mkdir -p "$root"/{bin,etc,dev,proc,sys,var/run,www,home,root}
  mkdir -m 1777 "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"; done
  # Debian's busybox has neither.
  copy_program "$root" "$(type -P ipcs)"
  copy_program "$root" "$(type -P pgrep)"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:33:33:www-data:/home:/bin/sh nobody:x:65534:65534:nobody:/home:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: www-data:x:33: nobody:x:65534: >"$root/etc/group"
  add() {  # CONFIG NAME…
    local config=$1
    shift
    make_image "$layout" "$root" "$(jq -c '. + {Env: ["PATH=/bin"]}' <<<"$config")" "$@"
  }
  add '{"Cmd": ["sh"]}' $e2e/busybox:1.29-2

  # What the tests look for in nginx: its pid file, its name, "master process" in its command line, a page.
  echo hello >"$root/www/index.html"
  cat >"$root/bin/nginx" <<'NGINX'
#!/bin/sh
echo $$ >/var/run/nginx.pid
echo "httpd on port $2"
trap 'kill $!; exit 0' TERM QUIT INT
httpd -f -h /www -p "$2" &
wait
NGINX
  chmod +x "$root/bin/nginx"
  add '{"Entrypoint": ["/bin/nginx", "master process", "80"]}' $e2e/nginx:1.14-2 $e2e/httpd:2.4.39-4
  add '{"Entrypoint": ["/bin/nginx", "master process", "12003"]}' $own/hostnet-nginx-amd64:latest

  for user in uid=1002 username=www-data uid-group=1003:100 username-group=www-data:100; do
    add "{\"Cmd\": [\"sh\"], \"User\": \"${user#*=}\"}" "$own/test-image-user-${user%%=*}:latest"
  done
  echo default-user:x:1000:1000::/home:/bin/sh >>"$root/etc/passwd"
  printf '%s\n' default-user:x:1000: group-defined-in-image:x:50000:default-user >>"$root/etc/group"
  add '{"Cmd": ["sh"], "User": "1000"}' $own/test-image-predefined-group:latest

  # busybox gives up the rights of a set-uid file.
  g++ -x c++ -static -o "$root/nnp" - <<'NNP'
#include <cstdio>
#include <unistd.h>
int main() { std::printf("Effective uid: %d\n", static_cast<int>(geteuid())); }
NNP
  chmod 4755 "$root/nnp"
  add '{"Entrypoint": ["/nnp"]}' $e2e/nonewprivs:1.3
}
