#!/bin/sh
# Script that applies a rollup without rollup, as an operator would write it: back up, check, copy, unpack, sync.
#
#     apply.sh DEPLOYMENT PAYLOAD BACKUP ITEMS FILES
#
# ITEMS has a line for each instance: its directory in the deployment, a tab, its installer in the share. FILES has a line for
# each file to copy: its name in the payload, a tab, its name in the share. PAYLOAD/SHA256SUMS has their hashes.
#
# `benches/apply.rs` compares it with `rollup apply`. It does no work twice: it unpacks each installer once, however many
# servers need it, and syncs once. It has no plan and no rollback but the backup, and leaves the deployment between two
# states if it is killed.
set -eu

deployment=$1 payload=$2 backup=$3 items=$4 files=$5
share=$deployment/MSIShare
tab=$(printf '\t')

(cd "$payload" && sha256sum --quiet --check SHA256SUMS)

# Uninstall: back up the removed instances.
while IFS=$tab read -r directory installer; do
    mkdir -p "$backup/${directory%/*}"
    cp -a "$deployment/$directory" "$backup/$directory"
    rm -r "$deployment/$directory/files"
done <"$items"

# Copy, and compare the hashes of the copies.
mkdir -p "$backup/MSIShare"
while IFS=$tab read -r new old; do
    cp -p "$share/$old" "$backup/MSIShare/"
    cp -p "$payload/$new" "$share/$old"
    printf '%s  %s\n' "$(sed -n "s/  $new\$//p" "$payload/SHA256SUMS")" "$old"
done <"$files" >"$backup/SHA256SUMS"
(cd "$share" && sha256sum --quiet --check "$backup/SHA256SUMS")

# Install: unpack every installer once, and copy the result to the other servers.
unpacked=$backup/unpacked
while IFS=$tab read -r directory installer; do
    if [ ! -d "$unpacked/$installer" ]; then
        mkdir -p "$unpacked/$installer"
        msiextract -C "$unpacked/$installer" "$share/$installer" >/dev/null
    fi
    cp -a "$unpacked/$installer" "$deployment/$directory/files"
    printf 'schema = 1\nstate = "verified"\n' >"$deployment/$directory/state.toml"
done <"$items"
rm -r "$unpacked"

sync -f "$deployment"
