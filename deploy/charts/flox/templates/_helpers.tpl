{{- /* What the charts flox and flox-catalog share. The file is the same in both; a test compares them. */ -}}

{{- /* The image by its digest, or by its tag if that is allowed. */ -}}
{{- define "flox.image" -}}
{{- if not (or .Values.image.digest .Values.image.allowTag) }}{{ fail "image.digest pins the image (of the nodes: flox node bundle --image prints it). For one that was imported on the nodes: --set image.allowTag=true" }}{{ end }}
{{- if .Values.image.digest }}{{ regexReplaceAll ":[^:/]*$" .Values.image.name "" }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.name }}{{ end }}
{{- end }}

{{- /* Labels that select this release's pods, and those that all its objects have. */ -}}
{{- define "flox.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "flox.labels" -}}
{{ include "flox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The security context of a container that needs nothing of its node. */ -}}
{{- define "flox.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}
