#!/bin/bash
set -e
./on_create_main.sh
