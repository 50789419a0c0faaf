{{- /* What does not go together is refused here, with the way out. */ -}}
{{- define "catalog.check" -}}
{{- if not (or .Values.trustedKeys .Values.allowUnverified) }}{{ fail "trustedKeys says whose signatures are accepted: --set 'trustedKeys={acme-1:…}'. For development: --set allowUnverified=true" }}{{ end }}
{{- if eq .Values.backend "postgresql" }}
{{- $_ := required "database.url says where the records are: postgresql://USER@HOST/DATABASE" .Values.database.url }}
{{- $_ := required "bucket.url says where the files are: s3://BUCKET/PREFIX?region=…" .Values.bucket.url }}
{{- end }}
{{- with .Values.networkPolicy }}
{{- if .enabled }}
{{- if not (or .fromNamespaces .fromCidrs) }}{{ fail "networkPolicy lets nobody connect: name fromCidrs (the nodes' addresses) and fromNamespaces, or --set networkPolicy.enabled=false" }}{{ end }}
{{- if eq $.Values.backend "postgresql" }}
{{- range $what := list "database" "bucket" }}
{{- with index $.Values.networkPolicy $what }}{{ if not (or .namespaces .cidrs) }}{{ fail (printf "networkPolicy.%s says where it is: cidrs or namespaces. Or --set networkPolicy.enabled=false" $what) }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "catalog.scheme" -}}
{{ if .Values.tls.secretName }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- /* The image that a container names: without an image of its own, one that floxd itself serves. */ -}}
{{- define "catalog.image" -}}
{{- if .Values.environment }}ghcr.io/flox/flox:latest{{ else }}{{ $_ := required "image.name has flox-catalog, or environment names a package that has it" .Values.image.name }}{{ include "flox.image" . }}{{ end }}
{{- end }}

{{- define "catalog.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* Peers of a NetworkPolicy: dict "namespaces" … "cidrs" … */ -}}
{{- define "catalog.peers" -}}
{{- range .namespaces }}
- namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . | quote }} } }
{{- end }}
{{- range .cidrs }}
- ipBlock: { cidr: {{ . | quote }} }
{{- end }}
{{- end }}
