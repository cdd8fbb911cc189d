#!/bin/bash
. /etc/env
