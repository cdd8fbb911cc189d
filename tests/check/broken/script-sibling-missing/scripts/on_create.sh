#!/bin/bash
if true; then
  bash ./on_create_main.sh
fi
source "$(dirname "$0")/lib.sh"
