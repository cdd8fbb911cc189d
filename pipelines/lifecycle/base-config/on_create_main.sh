#!/usr/bin/env bash
# Moves the data of containerd and the kubelet from the small root volume to the large volume that HyperPod mounts at
# /opt/sagemaker (InstanceStorageConfigs), so that images and pod data do not fill the root volume.
# Safe to run again: what has moved already stays where it is.
set -euo pipefail

readonly VOLUME=${HPRUN_DATA_VOLUME:-/opt/sagemaker}
readonly SERVICES=(kubelet containerd)
readonly FOLDERS=(/var/lib/containerd /var/lib/kubelet)
readonly WAIT_SECONDS=${HPRUN_DATA_VOLUME_WAIT:-60}

say() { printf '%s [on_create_main] %s\n' "$(date -u +%FT%TZ)" "$*"; }

trap 'say "error: line $LINENO: $BASH_COMMAND"' ERR

# The volume is mounted by HyperPod and may come a little later than this script.
wait_for_volume() {
  local waited=0
  until mountpoint -q "$VOLUME"; do
    if ((waited >= WAIT_SECONDS)); then
      return 1
    fi
    sleep 2
    waited=$((waited + 2))
  done
}

exists_service() { systemctl cat "$1.service" >/dev/null 2>&1; }

running=()

# Remembers what ran, so that only that is started again.
stop_services() {
  local service
  for service in "${SERVICES[@]}"; do
    if exists_service "$service" && systemctl is-active --quiet "$service"; then
      say "stopping $service"
      systemctl stop "$service"
      running+=("$service")
    fi
  done
}

start_services() {
  local at
  # containerd before the kubelet: the reverse of the order in which they were stopped.
  for ((at = ${#running[@]} - 1; at >= 0; at--)); do
    say "starting ${running[at]}"
    systemctl start "${running[at]}"
  done
  running=()
}

# A folder's data is copied to the volume, and the volume's folder is mounted over the old path, which both programs take for a plain
# folder. The little that was there stays beneath the mount.
move_folder() {
  local from=$1
  local to="$VOLUME/${from#/var/lib/}"
  if mountpoint -q "$from"; then
    say "$from is on a volume of its own already"
    return
  fi
  mkdir -p "$from" "$to"
  # What pods have mounted below the kubelet's folder must not be copied.
  cp -a --one-file-system "$from/." "$to/"
  if ! grep -qsF "$to $from " /etc/fstab; then
    printf '%s %s none bind,nofail,x-systemd.requires-mounts-for=%s 0 0\n' "$to" "$from" "$VOLUME" >>/etc/fstab
  fi
  mount --bind "$to" "$from"
  say "$from is now $to"
}

main() {
  if ! wait_for_volume; then
    # A group without InstanceStorageConfigs has no such volume: that is allowed, and said.
    say "warning: nothing is mounted at $VOLUME after ${WAIT_SECONDS}s; data stays on the root volume"
    return
  fi
  stop_services
  # Whatever happens from here on, a node without containerd and kubelet is of no use.
  trap start_services EXIT
  local folder
  for folder in "${FOLDERS[@]}"; do
    move_folder "$folder"
  done
  start_services
  trap - EXIT
  df -h "$VOLUME" || true
  say "finished"
}

main
