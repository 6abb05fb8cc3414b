{{- define "companion.check" -}}
{{- if and (ne .Values.image.registry "docker.io") (not .Values.global.security.allowInsecureImages) -}}
{{- fail "unrecognized images: set 'global.security.allowInsecureImages' to true to use them" -}}
{{- end -}}
{{- end -}}
