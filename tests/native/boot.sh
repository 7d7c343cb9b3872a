#!/bin/sh
# boot.sh PROGRAM ARGUMENTS...: runs a static program on a processor with AVX-512, which QEMU has none of: Bochs boots
# Debian's kernel with the program in its initial file system. Prints what the program prints and returns its status;
# 77, and why, where something is missing. Kernel and loader come by apt-get into $BUILD; nothing is installed.
# BOCHS and BXSHARE name another Bochs and the folder of its BIOS. A processor that multiplies bfloat16 is in it from
# version 3 on (./configure --enable-cpu-level=6 --enable-x86-64 --enable-evex --with-term); where it has none, it boots
# one without.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/emulate}/bochs
bochs=${BOCHS:-bochs} share=${BXSHARE:-/usr/share/bochs}
[ "$bochs" != bochs ] || terminal=/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so
for tool in $bochs xorriso script apt-get dpkg ${terminal:-}; do
    command -v $tool > /dev/null || [ -e $tool ] ||
        { echo "skipped, $tool is not installed (Debian: bochs, bochs-term, xorriso)"; exit 77; }
done

mkdir -p "$build/packages" "$build/disc" "$build/root"
program=$(realpath "$1")
shift
cd "$build/packages"
if [ ! -e complete ]; then
    kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    apt-get download "$kernel" busybox-static isolinux syslinux-common > download.log 2>&1 ||
        { echo "skipped, apt-get cannot download Linux, busybox and isolinux: see $PWD/download.log"; exit 77; }
    for package in *.deb; do dpkg -x "$package" .; done
    touch complete
fi

cp bin/busybox "$build/root/"
cp "$program" "$build/root/program"
cat > "$build/root/init" << END
#!/busybox sh
/busybox mkdir /proc
/busybox mount -t proc proc /proc
/busybox grep -q avx512bw /proc/cpuinfo && /program $*
echo "status \$?"
/busybox sleep 1
/busybox poweroff -f
END
chmod +x "$build/root/init"
(cd "$build/root" && find . | ./busybox cpio -o -H newc | gzip) > "$build/disc/initrd" 2> /dev/null
cp boot/vmlinuz-* "$build/disc/linux"
cp usr/lib/ISOLINUX/isolinux.bin usr/lib/syslinux/modules/bios/ldlinux.c32 "$build/disc/"
# Linux uses no AVX-512 where the sizes that XSAVEC has in Bochs 2.7 are not those that it computes, and stands still in
# Bochs 3 where it takes short copies of bytes for fast
cat > "$build/disc/isolinux.cfg" << END
default linux
label linux
kernel linux
append initrd=initrd console=ttyS0 loglevel=1 panic=-1 reboot=t tsc=reliable mitigations=off clearcpuid=xsavec,xsaves,fsrm,erms
END

cd "$build"
xorriso -as mkisofs -quiet -o disc.iso -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
    disc > xorriso.log 2>&1
# what a Bochs without a debugger is not told, and its files' names since version 3
commands=
if "$bochs" --help 2>&1 | grep -q -e '-rc '; then commands="-rc go"; fi
vga=VGABIOS-lgpl-latest
[ -e "$share/$vga" ] || vga=$vga.bin
model=corei7_skylake_x
if "$bochs" --help cpu 2>&1 | grep -q sapphire_rapids; then model=sapphire_rapids; fi
cat > bochsrc << END
cpu: model=$model, ips=100000000, reset_on_triple_fault=0
megs: 512
romimage: file=$share/BIOS-bochs-latest
vgaromimage: file=$share/$vga
ata0-master: type=cdrom, path=disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console
display_library: term
log: bochs.log
error: action=ignore
panic: action=fatal
END
echo continue > go
rm -f console
# its screen is a terminal's; powering off is an error to it
TERM=vt100 script -qc "$bochs -q -f bochsrc $commands" screen < /dev/null > /dev/null || true
tr -d '\r' < console > said
status=$(sed -n 's/^status \([0-9]*\)$/\1/p' said)
sed '/^status /,$d' said
[ -n "$status" ] || { tail -n 20 bochs.log; echo "Bochs has not come to the end: see $PWD"; exit 1; }
exit "$status"
