#!/bin/bash
echo a
