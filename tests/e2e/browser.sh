#!/bin/sh
# browser.sh FILE...: does a browser play the videos and show the pictures? Each is opened without a screen in Chromium,
# whose console says what the page found: the size, and of a video how far it played. Run by hand; without Chromium it is
# skipped.
browser=
for name in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v $name)
done
if [ -z "$browser" ]; then
    echo "SKIPPED: no browser played our files: chromium is not installed"
    exit 77
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/sora-browser-XXXXXX")
trap 'rm -rf "$folder"' EXIT
failures=0
for file in "$@"; do
    extension=$(printf %s "${file##*.}" | tr A-Z a-z)
    cp "$file" "$folder/file.$extension" || exit 1
    case $extension in
    mp4 | webm) element="<video id=it muted autoplay src=file.$extension></video>" ;;
    *) element="<img id=it src=file.$extension>" ;;
    esac
    cat >"$folder/page.html" <<P
<!DOCTYPE html><html><head></head><body>$element<script>
const it = document.getElementById('it'), say = text => console.log('SORA ' + text);
it.onerror = () => say('FAILED ' + (it.error ? it.error.message : 'not a picture'));
it.onload = () => say('shown ' + it.naturalWidth + 'x' + it.naturalHeight);
it.onended = () => say('played ' + it.videoWidth + 'x' + it.videoHeight + ' to ' + it.currentTime.toFixed(2) + ' of ' +
  it.duration.toFixed(2) + ' s, ' + it.getVideoPlaybackQuality().totalVideoFrames + ' frames');
it.onloadedmetadata = () => { if (it.duration > 30) it.currentTime = it.duration - 5; it.play(); };
</script></body></html>
P
    "$browser" --headless --no-sandbox --disable-gpu --autoplay-policy=no-user-gesture-required --mute-audio \
        --user-data-dir="$folder/profile" --enable-logging=stderr "file://$folder/page.html" >"$folder/log" 2>&1 &
    process=$!
    tries=0
    until grep -q 'SORA ' "$folder/log" || [ $tries = 3000 ]; do
        sleep 0.2
        tries=$((tries + 1))
    done
    kill $process
    wait $process 2>/dev/null
    said=$(sed -n 's/.*SORA \([^"]*\)".*/\1/p' "$folder/log" | head -1)
    echo "$file: $said"
    case $said in
    shown* | played*) ;;
    *) failures=$((failures + 1)) ;;
    esac
done
[ "$failures" = 0 ]
