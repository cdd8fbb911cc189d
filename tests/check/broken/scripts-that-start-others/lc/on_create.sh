#!/bin/bash
# run with: bash on_create.sh
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
main="$here/on_create_main.sh"
echo "starting"; . "$here/lib/common.sh"
bash "$main"
source lib/gone.sh
python3 setup.py
