{{- define "exporter.pod" -}}
metadata:
  labels:
    {{- include "exporter.selector" . | nindent 4 }}
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $annotations := deepCopy .Values.podAnnotations }}
  {{- if .Values.rolloutOnConfigChange }}
  {{- $_ := set $annotations "checksum/config" (include "exporter.config" . | sha256sum) }}
  {{- end }}
  {{- if and (eq .Values.scrape.by "annotations") (not .Values.sharding.enabled) }}
  {{- $_ := set $annotations "prometheus.io/scrape" "true" }}
  {{- $_ := set $annotations "prometheus.io/port" "10190" }}
  {{- $_ := set $annotations "prometheus.io/path" "/metrics" }}
  {{- $_ := set $annotations "prometheus.io/scheme" (include "exporter.scheme" .) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "exporter.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: exporter
      image: {{ include "exporter.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - --config.file=/etc/qoder-work-exporter/config/config.yaml
        - --log.level={{ .Values.logs.level }}
        - --log.format={{ .Values.logs.format }}
        {{- if .Values.web.existingSecret }}
        - --web.config.file=/etc/qoder-work-exporter/web/web.yml
        {{- end }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: 10190
      livenessProbe:
        httpGet:
          path: /-/healthy
          port: metrics
          scheme: {{ include "exporter.scheme" . | upper }}
        periodSeconds: 15
        timeoutSeconds: 5
        failureThreshold: 4
      readinessProbe:
        httpGet:
          path: /-/ready
          port: metrics
          scheme: {{ include "exporter.scheme" . | upper }}
        periodSeconds: 5
        timeoutSeconds: 5
      startupProbe:
        httpGet:
          path: /-/healthy
          port: metrics
          scheme: {{ include "exporter.scheme" . | upper }}
        periodSeconds: 2
        failureThreshold: 30
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        runAsNonRoot: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/qoder-work-exporter/config
          readOnly: true
        - name: tokens
          mountPath: /etc/qoder-work-exporter/tokens
          readOnly: true
        {{- if .Values.web.existingSecret }}
        - name: web
          mountPath: /etc/qoder-work-exporter/web
          readOnly: true
        {{- end }}
        {{- if .Values.persistence.enabled }}
        - name: state
          mountPath: /var/lib/qoder-work-exporter
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "exporter.fullname" . }}
    - name: tokens
      projected:
        defaultMode: 0440
        sources:
          {{- range .Values.accounts }}
          - secret:
              name: {{ if .token.value }}{{ include "exporter.fullname" $ }}{{ else }}{{ .token.existingSecret }}{{ end }}
              items:
                - key: {{ if .token.value }}{{ .name }}{{ else }}{{ default "token" .token.key }}{{ end }}
                  path: {{ .name }}
          {{- end }}
    {{- if .Values.web.existingSecret }}
    - name: web
      secret:
        secretName: {{ .Values.web.existingSecret }}
        defaultMode: 0440
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
