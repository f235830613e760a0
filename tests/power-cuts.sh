#!/usr/bin/env bash
# Cuts the power of a real file system under a real apply of KB952076, and recovers both ways.
#
#   tests/power-cuts.sh FILESYSTEM [POINT...]       as root; FILESYSTEM is ext4, xfs or btrfs
#
# Three items have directories of an operator's data, and files of theirs beside the managed ones. The
# deployment is on an image that is mounted through a loop device. `apply` is killed at a change of
# the disk (POINT counts them), some files are brought to disk and others are not, and the image is copied
# as it is then: what the system still holds in memory is lost, as when the power fails. The copy is
# mounted, its journal is replayed by the kernel, and `resume` or `undo` recovers the run. Every path,
# mode and byte of the deployment, and after a rollback also every time of a file, has to be that of the
# state after or of the state before. It also prints how many of the cuts lost something: if none did,
# nothing was tried.
set -euo pipefail

filesystem=${1:?say which file system: ext4, xfs or btrfs}
shift
points=("$@")

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rollup=${ROLLUP:-$root/target/release/rollup}
manifest=$root/manifests/kb952076.toml
work=$(mktemp -d)
clear() {
  umount "$work/live" "$work/cut" 2> /dev/null || true
  rm -rf "$work"
}
trap clear EXIT

# Everything in a deployment but what rollup keeps: kind, mode, time where asked for, contents.
snapshot() { # DEPLOYMENT [times]
  (
    cd "$1"
    find . -mindepth 1 -path ./.rollup -prune -o -type d -printf 'd %m %P\n' -o -type f -printf "f %m ${2:+%T@ }%P\n"
    find . -path ./.rollup -prune -o -type f -print0 | xargs -0 sha256sum
  ) | sort
}

# Every name below a directory, with the size of its file.
names() { # DIRECTORY
  (cd "$1" && find . -type f -printf '%s %P\n' -o -printf '%P\n') | sort
}

[ -n "${ROLLUP:-}" ] || (cd "$root" && cargo build --release --quiet)
"$rollup" rehearse "$manifest" --prepare --lab "$work/lab" > /dev/null
payload=$work/lab/payload
mapfile -t items < <(find "$work/lab/deployment" -name files -type d | sort | head -n 3)
for files in "${items[@]}"; do
  mkdir -p "$files/data/deep/er"
  for file in {1..40}; do echo "data $file" > "$files/data/$file"; done
  echo deep > "$files/data/deep/er/file"
  echo notes > "$files/notes.txt"
done
# The last changes are those of the commit, from which most points are taken.
if [ ${#points[@]} -eq 0 ]; then
  cp -a "$work/lab/deployment" "$work/counted"
  changes=$("$rollup" apply "$manifest" -d "$work/counted" -p "$payload" --yes --die-at-change 999999999 2>&1 |
    sed -n 's/^changes of the disk: //p')
  mapfile -t points < <(seq 20 90 $((changes - 190)); seq $((changes - 184)) 6 $((changes - 1)))
fi
mkdir "$work/live" "$work/cut"
truncate -s 400M "$work/image"
case $filesystem in
  ext4) mkfs.ext4 -q "$work/image" ;;
  xfs) mkfs.xfs -q "$work/image" ;;
  btrfs) mkfs.btrfs -q "$work/image" > /dev/null ;;
  *) echo "not tried: $filesystem" >&2; exit 64 ;;
esac
mount -o loop "$work/image" "$work/live"
cp -a "$work/lab/deployment" "$work/live/deployment"
umount "$work/live"
snapshot "$work/lab/deployment" times > "$work/before"
"$rollup" apply "$manifest" -d "$work/lab/deployment" -p "$payload" --yes > /dev/null 2>&1
snapshot "$work/lab/deployment" > "$work/after"

recovered=0
failed=0
losing=0
for point in "${points[@]}"; do
  for way in resume undo; do
    cp --sparse=always "$work/image" "$work/run"
    mount -o loop "$work/run" "$work/live"
    { "$rollup" apply "$manifest" -d "$work/live/deployment" -p "$payload" --yes --die-at-change "$point"; } \
      > /dev/null 2>&1 || true
    # Some of what was not brought to disk gets there all the same.
    find "$work/live/deployment" -type f -size +0 -print0 | shuf -z -n $((1 + RANDOM % 3)) | xargs -0 -r sync -d
    cp --sparse=always "$work/run" "$work/survivor"
    names "$work/live" > "$work/there"
    umount "$work/live"
    mount -o loop "$work/survivor" "$work/cut"
    names "$work/cut" > "$work/left"
    cmp -s "$work/there" "$work/left" || losing=$((losing + 1))
    journal=$(cat "$work"/cut/deployment/.rollup/runs/*/journal 2> /dev/null || true)
    expected=before
    case $way,$journal in
      *'"closed"'*) expected=after ;;
      resume,*'"staged"'*) expected=after ;;
    esac
    code=0
    "$rollup" "$way" -d "$work/cut/deployment" --yes > "$work/said" 2>&1 || code=$?
    compared=()
    [ "$expected" = after ] || compared=(times)
    snapshot "$work/cut/deployment" "${compared[@]}" > "$work/found"
    if [ "$code" = 0 ] && cmp -s "$work/$expected" "$work/found"; then
      recovered=$((recovered + 1))
    else
      failed=$((failed + 1))
      echo "$filesystem, cut at change $point, then $way: ended with $code, the tree is not the one $expected"
      tail -n 3 "$work/said"
      diff "$work/$expected" "$work/found" | head -n 5 || true
    fi
    umount "$work/cut"
  done
done
echo "$filesystem: $recovered of $((recovered + failed)) power cuts recovered; $losing had lost something"
[ "$failed" = 0 ] && [ "$losing" -gt 0 ]
