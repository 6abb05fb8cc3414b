resource "kubernetes_pod" "demo" {
  spec {
    container {
      image = "ghcr.io/acme/look-terraform:1"
    }
  }
}
