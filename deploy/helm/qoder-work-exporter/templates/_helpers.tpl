{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "exporter.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "exporter.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "exporter.selector" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "exporter.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* A pod of its own name and volume: sharding needs the name, a checkpoint the volume. */}}
{{- define "exporter.stateful" -}}
{{- if or .Values.sharding.enabled .Values.persistence.enabled }}true{{ end }}
{{- end }}

{{- define "exporter.replicas" -}}
{{- if .Values.sharding.enabled }}{{ .Values.sharding.shards }}{{ else }}{{ .Values.replicas }}{{ end }}
{{- end }}

{{- define "exporter.scheme" -}}
{{- if .Values.web.tls }}https{{ else }}http{{ end }}
{{- end }}

{{/* Milliseconds of a duration such as 500ms, 10s, 5m or 1h. */}}
{{- define "exporter.milliseconds" -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) -}}
{{- end }}

{{- define "exporter.check" -}}
{{- $interval := include "exporter.milliseconds" .Values.scrape.interval | int }}
{{- $timeout := include "exporter.milliseconds" .Values.scrape.timeout | int }}
{{- if gt $timeout $interval }}
{{- fail (printf "scrape.timeout (%s) is above scrape.interval (%s): Prometheus refuses that" .Values.scrape.timeout .Values.scrape.interval) }}
{{- end }}
{{- if and .Values.web.tls (not .Values.web.existingSecret) }}
{{- fail "web.tls needs web.existingSecret: the Secret whose web.yml turns TLS on" }}
{{- end }}
{{- $names := list }}
{{- range .Values.accounts }}
{{- if has .name $names }}
{{- fail (printf "accounts: two are named %s" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}

{{/* The exporter's configuration. */}}
{{- define "exporter.config" -}}
{{- $accounts := list }}
{{- range .Values.accounts }}
{{- $accounts = append $accounts (set (omit . "token") "token_file" (printf "/etc/qoder-work-exporter/tokens/%s" .name)) }}
{{- end }}
{{- $config := dict "accounts" $accounts }}
{{- $config = merge $config (deepCopy .Values.config) }}
{{- if .Values.persistence.enabled }}
{{- $history := set (deepCopy (default dict .Values.config.history)) "checkpoint" "/var/lib/qoder-work-exporter/checkpoint" }}
{{- $_ := set $config "history" $history }}
{{- end }}
{{- toYaml $config }}
{{- end }}
