#!/bin/sh
# What an operator would write to apply a rollup without rollup: back up, check, copy, unpack, bring it to disk.
#
#     apply.sh DEPLOYMENT PAYLOAD BACKUP ITEMS FILES
#
# ITEMS has a line for each instance: its folder below the deployment, a tab, its installer in the share. FILES has one for
# each file that is copied: its name in the payload, a tab, its name in the share. PAYLOAD/SHA256SUMS has their hashes.
#
# It is `benches/apply.rs` that runs it beside `rollup apply`. It does what has to be done once and nothing twice, unpacks
# each installer once however many servers it goes to, and syncs once. It has no plan, no way back but the backup, and
# leaves a deployment between two states when it dies.
set -eu

deployment=$1 payload=$2 backup=$3 items=$4 files=$5
share=$deployment/MSIShare
tab=$(printf '\t')

(cd "$payload" && sha256sum --quiet --check SHA256SUMS)

# Uninstall: keep what goes.
while IFS=$tab read -r folder installer; do
    mkdir -p "$backup/${folder%/*}"
    cp -a "$deployment/$folder" "$backup/$folder"
    rm -r "$deployment/$folder/files"
done <"$items"

# Copy, and see that what arrived is what was sent.
mkdir -p "$backup/MSIShare"
while IFS=$tab read -r new old; do
    cp -p "$share/$old" "$backup/MSIShare/"
    cp -p "$payload/$new" "$share/$old"
    printf '%s  %s\n' "$(sed -n "s/  $new\$//p" "$payload/SHA256SUMS")" "$old"
done <"$files" >"$backup/SHA256SUMS"
(cd "$share" && sha256sum --quiet --check "$backup/SHA256SUMS")

# Install: every installer is unpacked once, and copied to the other servers from there.
unpacked=$backup/unpacked
while IFS=$tab read -r folder installer; do
    if [ ! -d "$unpacked/$installer" ]; then
        mkdir -p "$unpacked/$installer"
        msiextract -C "$unpacked/$installer" "$share/$installer" >/dev/null
    fi
    cp -a "$unpacked/$installer" "$deployment/$folder/files"
    printf 'schema = 1\nstate = "verified"\n' >"$deployment/$folder/state.toml"
done <"$items"
rm -r "$unpacked"

sync -f "$deployment"
