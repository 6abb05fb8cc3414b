package main

// Image is pulled by the operator, see ghcr.io/acme/look-go-comment.
const Image = "ghcr.io/acme/look-go:v1"
