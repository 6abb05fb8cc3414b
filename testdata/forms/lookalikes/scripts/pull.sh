#!/bin/sh
image="${IMAGE:=ghcr.io/acme/look-shell:1}"
docker pull "$image"
