#!/usr/bin/env bash
# Makes the Debian package and checks it: tests/package.sh [BUILD]
#
# BUILD: a folder in which thumbpool was built, build/release if none is given. Checks that lintian
# finds no error and no warning, that the same build gives the same bytes twice, and that the package
# has what it should and nothing else, with the right modes. The package stays in BUILD.
#
#     tests/package.sh --try FOLDER [BUILD]
#
# as root, with debootstrap: then installs the package in a fresh Debian 12 in FOLDER, which must be
# empty or missing, makes thumbnails there as a new user would, and removes the package again.
# FOLDER has 300 MB afterwards and can be removed. MIRROR names another mirror than
# debootstrap's own.
#
# Not a part of the ordinary tests: it needs dpkg-dev and lintian, and debootstrap.
set -eu
unset CDPATH # it would lead cd elsewhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "package.sh: $*" >&2
    exit 1
}

root=
if [ "${1:-}" = --try ]; then
    root=${2:?FOLDER is missing}
    shift 2
fi
build=${1:-build/release}
[ -f "$build/CPackConfig.cmake" ] || fail "$build is no folder of a build; cmake --preset release makes one"
for tool in cpack dpkg-deb dpkg-shlibdeps lintian; do
    command -v "$tool" >/dev/null || fail "$tool is missing: apt install cmake dpkg-dev lintian"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
make_package() {
    rm -f "$build"/thumbpool_*.deb
    (umask 027 && cd "$build" && cpack -G DEB) >"$work/log" 2>&1 || fail "cpack failed: $(cat "$work/log")"
}
make_package
cp "$build"/thumbpool_*.deb "$work/first.deb"
make_package
package=$(echo "$build"/thumbpool_*.deb)
cmp -s "$work/first.deb" "$package" || fail 'the same build gives two different packages'
echo "$package: the same twice"

lintian --fail-on error,warning "$package" >"$work/log" 2>&1 || fail "lintian: $(cat "$work/log")"
echo 'lintian has no error and no warning'

dpkg-deb -c "$package" | awk '{ print $1, $2, $6 }' >"$work/got"
cat >"$work/wanted" <<'END'
-rwxr-xr-x root/root ./usr/bin/thumbpool
-rw-r--r-- root/root ./usr/share/bash-completion/completions/thumbpool
-rw-r--r-- root/root ./usr/share/doc/thumbpool/changelog.Debian.gz
-rw-r--r-- root/root ./usr/share/doc/thumbpool/changelog.gz
-rw-r--r-- root/root ./usr/share/doc/thumbpool/copyright
-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/thumbpool.fish
-rw-r--r-- root/root ./usr/share/man/man1/thumbpool.1.gz
-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_thumbpool
END
grep -v '/$' "$work/got" | sort -k 3 | diff "$work/wanted" - || fail 'these files are not what is wanted'
! grep '/$' "$work/got" | grep -v '^drwxr-xr-x root/root ' || fail 'a folder has other rights'
dpkg-deb -I "$package" | grep -q '^ Depends: .*libc6' || fail 'it depends on nothing'
dpkg-deb -I "$package" | grep -q '^ Recommends: .*libvips42' || fail 'libvips is not recommended'
echo 'it has what it should'
[ -n "$root" ] || exit 0

# ---- In a fresh Debian ---------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || fail '--try is for root'
command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt install debootstrap'
[ ! -e "$root" ] || [ -z "$(ls -A "$root")" ] || fail "$root is not empty"
debootstrap --variant=minbase bookworm "$root" ${MIRROR:+"$MIRROR"} \
    >"$work/log" 2>&1 || fail "debootstrap failed: $(tail -n 5 "$work/log")"
mkdir -p "$root/home/new/Pictures"
"$build/bin/make_photos" --count 20 "$root/home/new/Pictures" >/dev/null ||
    fail 'no photos to try it with'
cp "$package" "$root/tmp/thumbpool.deb"
cat >"$work/try.sh" <<'END'
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/new
cd /home/new
all_files() {
    find / -xdev \( -path /proc -o -path /var -o -path /home -o -path /tmp -o -path /etc/ld.so.cache \) \
        -prune -o -name '*thumbpool*' -print
}
[ -z "$(all_files)" ]
apt-get -q -y install --no-install-recommends /tmp/thumbpool.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
thumbpool --version
thumbpool -v Pictures | tail -n 1
find Pictures -type f | grep -vc /thumbs/ | xargs echo pictures:
find Pictures/thumbs -type f | wc -l | xargs echo thumbnails:
first=$(find Pictures -type f -name '*.jpg' -not -path '*/thumbs/*' | sort | head -n 1)
thumbpool one -s 64 "$first" /tmp/one.png
[ -s /tmp/one.png ]
[ -s /usr/share/man/man1/thumbpool.1.gz ]
bash -c '. /usr/share/bash-completion/completions/thumbpool; complete -p thumbpool'
dpkg --purge thumbpool >/dev/null
[ -z "$(all_files)" ] || { all_files; exit 1; }
echo 'purged without a trace'
END
unshare --mount bash -c 'mount -t proc proc "$1/proc" && chroot "$1" bash -s' - "$root" <"$work/try.sh" ||
    fail 'a new user would be disappointed'
