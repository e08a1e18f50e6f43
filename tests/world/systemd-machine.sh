#!/bin/sh
# The inside of tests/world/systemd-machine.ts: makes this (already private) mount namespace a machine of its own, and becomes its systemd.
#   systemd-machine.sh FOLDER WEFT NODE      FOLDER: empty, for what the machine writes; WEFT: the project; NODE: its node
# The root is an overlay over the real one in memory: whatever is written there, users and units too, is gone with the last process.
set -eu
folder=$1 weft=$2 node=$3

mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
root=$folder/root
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"

# What belongs to the kernel can be read, and is not for this systemd to change.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"

# None of the real machine's sockets, units or temporary files.
for path in run etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs "$root/$path"; done
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for unit in systemd-modules-load.service systemd-logind.service systemd-update-utmp.service systemd-udevd.service systemd-firstboot.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount getty.target; do
  ln -s /dev/null "$root/etc/systemd/system/$unit"
done

# What the installation of a checkout gives: Weft in /opt/weft, and its Node.
mkdir -p "$root/opt/weft"
cp -R "$weft/bin" "$weft/dist" "$weft/deploy" "$weft/package.json" "$root/opt/weft"
chmod -R go=rX "$root/opt/weft"
touch "$root/usr/local/bin/node"
mount --bind "$node" "$root/usr/local/bin/node"
ip link set lo up

mkdir "$root/run/outside"
cd "$root"
pivot_root . run/outside
# Without the rights by which root reaches the real machine past namespaces: modules, its clock, raw devices, new device nodes.
exec chroot . sh -euc '
  umount -l /run/outside
  rmdir /run/outside
  mount --make-rshared /
  systemd=/lib/systemd/systemd
  [ -x "$systemd" ]
  echo booting
  exec env -i container=weft-test PATH="$PATH" \
    setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-sys_boot,-mknod,-syslog,-mac_admin,-mac_override -- \
    "$systemd" --system --unit=multi-user.target'
