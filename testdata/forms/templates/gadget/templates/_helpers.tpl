{{/*
The image of the gadget, ghcr.io/acme/tpl-helper-commented by default.
*/}}
{{- define "gadget.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- printf "%s/%s:%s" .Values.image.registry .Values.image.repository $tag -}}
{{- end -}}

{{- define "gadget.init" -}}
{{ .Values.init.image | default "ghcr.io/acme/tpl-init:1.9.2" }}
{{- end -}}

{{- define "gadget.worker" -}}
{{- printf "ghcr.io/acme/tpl-worker:%s" .Chart.AppVersion -}}
{{- end -}}

{{- define "gadget.joined" -}}
{{- printf "%s/%s" "ghcr.io" .Values.joined.repository -}}
{{- end -}}
