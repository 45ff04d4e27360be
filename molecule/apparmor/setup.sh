#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the image "web" from the host's packages: nginx, its libraries, a shell and top to be refused, and a program
# that an intruder might have brought along.
set -eu
root=$(mktemp -d /srv/web.XXXXXX)
for package in /opt/bulwark-repo/nginx_*.deb /opt/bulwark-repo/nginx-common_*.deb; do
  dpkg-deb -x "$package" "$root"
done
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/opt" "$root/srv/www" "$root/root" "$root/run" \
  "$root/tmp" "$root/var/lib/nginx" "$root/var/log/nginx"
for name in bin lib lib64 sbin; do
  ln -sfn "usr/$name" "$root/$name"
done
ldd "$root/usr/sbin/nginx" | awk '$3 ~ "^/" { print $3 } $1 ~ "^/" { print $1 }' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
cp /bin/busybox "$root/usr/bin/sh"
cp /bin/busybox "$root/usr/bin/top"
cp /bin/busybox "$root/opt/busybox"
grep -e '^root:' -e '^www-data:' /etc/passwd >"$root/etc/passwd"
grep -e '^root:' -e '^www-data:' /etc/group >"$root/etc/group"
echo "passwd: files" >"$root/etc/nsswitch.conf"
echo "served" >"$root/srv/www/index.html"
cat >"$root/etc/nginx/nginx.conf" <<'EOF'
daemon off;
user www-data;
pid /run/nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  server {
    listen 8080;
    root /srv/www;
  }
}
EOF
cat >"$root/opt/attacks" <<'EOF'
attempt() {
  name=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "$name done"; else echo "$name refused"; fi
}
tool=/opt/busybox
attempt served $tool wget -q -O - http://127.0.0.1:8080/
attempt shell /bin/sh -c true
attempt top /usr/bin/top -b -n 1
attempt raw_socket $tool ping -c 1 -W 5 127.0.0.1
attempt write_bin $tool touch /bin/planted
attempt write_root $tool touch /root/planted
attempt write_etc $tool touch /etc/planted
attempt write_proc_sys $tool sh -c 'echo 7200 >/proc/sys/net/ipv4/tcp_keepalive_time'
attempt write_tmp $tool sh -c 'echo >/tmp/planted'
EOF
tar -C "$root" -c . | docker import -c 'CMD ["/usr/sbin/nginx"]' - web >/dev/null
rm -rf "$root"
