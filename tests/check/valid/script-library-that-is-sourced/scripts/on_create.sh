#!/bin/bash
set -e
. ./sub/lib.sh
bash "$(dirname "$0")/sub/plain.sh"
