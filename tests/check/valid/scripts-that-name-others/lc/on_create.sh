#!/bin/bash
BASE=$(cd "$(dirname "$0")"; pwd)
source "$BASE/lib/common.sh"
for f in multi/*.sh; do source "$f"; done
if [ -f ./optional.sh ]; then bash ./optional.sh; fi
bash -e ./lib/run.sh
cp t.tmpl four.sh && bash ./four.sh
: "usage: ./on_create.sh ./other.sh"
