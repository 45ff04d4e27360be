#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a host with scanners, data of engines and planted files. DATA is the directory that the engine really uses,
# IMAGE a name for an image of busybox.
set -eu
text='This harmless text is a virus for the tests of bulwark.docker.'
sum=$(printf '%s' "$text" | md5sum | cut -d' ' -f1)
printf '%s:%s:Bulwark.Planted\n' "$sum" "${#text}" > /var/lib/clamav/bulwark.hdb
for unit in clamav-daemon.service clamav-daemon.socket; do
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '[Unit]\nConditionPathExistsGlob=\n' > "/etc/systemd/system/$unit.d/without-official-signatures.conf"
done
# No newline at the end: that must survive too.
printf '%s\n' 'OnAccessIncludePath /srv' 'OnAccessIncludePath /home' 'OnAccessPrevention yes' >> /etc/clamav/clamd.conf
printf '%s' 'OnAccessExcludeUname clamav' >> /etc/clamav/clamd.conf
mkdir -p /etc/aide
printf '%s\n' 'database_in=file:/tmp/aide.db' 'database_out=file:/tmp/aide.db' 'gzip_dbout=no' \
    '/srv p' '/var/lib p' '/home p' > /etc/aide/aide.conf
printf 'USER_FILEPROP_FILES_DIRS=%s/*\nUSER_FILEPROP_FILES_DIRS=%s-backup/*\n' "$DATA" "$DATA" >> /etc/rkhunter.conf
useradd --create-home alice
mkdir -p "$DATA-backup" /srv/plain /srv/var/lib/docker /var/lib/docker-backup /var/lib/containerd \
    /home/alice/.local/share/docker /home/alice/.local/share/docker-old
for folder in "$DATA" "$(dirname "$DATA")" "$DATA-backup" /srv/plain /srv/var/lib/docker /var/lib/docker-backup \
    /var/lib/containerd /home/alice/.local/share/docker /home/alice/.local/share/docker-old; do
    printf '%s' "$text" > "$folder/planted-virus"
done
mkdir -p /srv/image/bin
cp /bin/busybox /srv/image/bin/sh
for name in cat sleep; do ln /srv/image/bin/sh "/srv/image/bin/$name"; done
tar -C /srv/image -c . | docker import - "$IMAGE"
docker run --detach --name keeper --volume kept:/data "$IMAGE" \
    sh -c "printf '%s' '$text' > /data/planted-virus; trap 'exit 0' TERM; while :; do sleep 1; done"
cat > /usr/local/bin/mdatp <<'STAND_IN'
#!/bin/sh
# Keeps exclusions as the documentation of Defender for Endpoint on Linux describes its command.
list=/etc/opt/mdatp-stand-in
case "$1 $2 $3" in
    "exclusion list ") echo "Exclusions:"; sed 's/.*/Excluded folder\nPath: "&"/' "$list" 2>/dev/null || true ;;
    "exclusion folder add") mkdir -p /etc/opt; echo "$5" >> "$list" ;;
    "exclusion folder remove") grep -vxF "$5" "$list" > "$list.new" || true; mv "$list.new" "$list" ;;
    *) echo "unknown: $*" >&2; exit 1 ;;
esac
STAND_IN
cat > /usr/local/bin/page-someone <<'HOOK'
#!/bin/sh
cat >> /var/log/alarms
echo >> /var/log/alarms
HOOK
cat > /usr/local/bin/faulty-scanner <<'FAULTY'
#!/bin/sh
# The first word is the fault, all others are paths.
fault=$1
shift
case $fault in
    killed) kill -KILL $$ ;;
    hangs) trap '' TERM; echo hanging; while :; do sleep 1; done ;;
    writes)
        for folder; do
            if echo x > "$folder/written-by-the-scanner"; then exit 7; fi
        done
        ;;
    fills)
        # More findings than fit into the page that the engine's mark gives back.
        head -c 10000000 /dev/zero > /var/lib/bulwark-docker/scan/filler
        for number in $(seq 500); do echo "$1/planted-$number: Bulwark.Planted FOUND"; done
        exit 1
        ;;
    clean) exit 0 ;;
esac
FAULTY
chmod 755 /usr/local/bin/mdatp /usr/local/bin/page-someone /usr/local/bin/faulty-scanner
systemctl daemon-reload
systemctl restart clamav-daemon.socket clamav-daemon.service
