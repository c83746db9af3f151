#!/usr/bin/env bash
# Installs what building and testing thumbpool needs and this machine lacks.
#
# On Debian and Ubuntu, as root or with sudo. If everything is there, apt is not even asked, so a
# machine without network still builds. On other systems it says which packages are needed.
set -eu

# package          why
packages='
gcc                the compiler
libc6-dev          its C library
cmake              3.25 or newer: the build
ninja-build        runs it
pkg-config         finds the libraries below
libjpeg-dev        libjpeg-turbo: JPEG
libpng-dev         PNG
liblcms2-dev       colour profiles
libvips-dev        all other formats
libcmocka-dev      the tests
'
modules='libjpeg libpng lcms2 vips cmocka'
tools='gcc cmake ninja pkg-config'

names=$(printf '%s\n' "$packages" | awk 'NF { print $1 }')

# Elsewhere: whatever the packages are called there, these have to be found.
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    missing=
    for tool in $tools; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
    done
    [ -z "$missing" ] && exit 0
    echo "install-deps: this is neither Debian nor Ubuntu. Please install what provides:$missing" >&2
    echo "install-deps: on Debian the packages are:" $names >&2
    exit 1
fi

missing=
for name in $names; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) || status=none
    [ "$status" = installed ] || missing="$missing $name"
done
if [ -z "$missing" ]; then
    echo 'install-deps: everything is installed already'
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: not root, and there is no sudo. Please have these installed:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "install-deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # both are lists of words
if ! { $as_root apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "install-deps: apt could not install:$missing" >&2
    exit 1
fi
echo 'install-deps: done'
