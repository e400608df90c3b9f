# Sourced by ./demo and ./test. Installs what building needs on Debian and Ubuntu; elsewhere names what is missing.

debian_packages="build-essential meson ninja-build pkg-config libdnnl-dev libavcodec-dev libavformat-dev
libavfilter-dev libswscale-dev libavutil-dev libjansson-dev libutf8proc-dev libcmocka-dev libwebp-dev libssl-dev
libcbor-dev libbrotli-dev libfreetype-dev libfontconfig-dev libsqlite3-dev libpq-dev libmicrohttpd-dev libcurl4-openssl-dev"

# missing_of PACKAGE...: sets missing.
missing_of() {
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null) in
        *"install ok installed"*) ;;
        *) missing="$missing $package" ;;
        esac
    done
}

# install_optional PACKAGE...: without them something is left out, which says so itself.
install_optional() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || return 0
    missing_of "$@"
    [ -n "$missing" ] || return 0
    (debian_packages=$missing && install_on_debian) || echo "$0: going on without$missing" >&2
}

install_on_debian() {
    missing_of $debian_packages
    [ -z "$missing" ] && return 0
    root=
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "$0: packages are missing; as root: apt-get install$missing" >&2
            return 1
        fi
        root=sudo
    fi
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # Without fresh lists the packages may be known all the same.
    $root apt-get update -q >&2 || echo "$0: apt-get update failed; going on with the lists that are there" >&2
    if ! $root apt-get install -q -y --no-install-recommends $missing >&2; then
        echo "$0: could not install:$missing" >&2
        return 1
    fi
}

name_missing() {
    missing=
    for command in cc make meson ninja pkg-config; do
        command -v $command >/dev/null || missing="$missing $command"
    done
    for library in libavcodec libavformat libavfilter libswscale libavutil jansson libutf8proc cmocka libwebp \
        libwebpdemux libwebpmux libcrypto libssl libcbor libbrotlidec freetype2 fontconfig sqlite3 libmicrohttpd libcurl; do
        pkg-config --exists $library 2>/dev/null || missing="$missing $library"
    done
    echo '#include <dnnl.h>' | cc -E - >/dev/null 2>&1 || missing="$missing oneDNN"
    [ -z "$missing" ] && return 0
    echo "$0: please install, with the files for developing:$missing" >&2
    return 1
}

install_packages() {
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        install_on_debian
    else
        name_missing
    fi
}
