{{- define "millrace.name" -}}
{{- if contains "millrace" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-millrace" (.Release.Name | trunc 31 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "millrace.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "millrace.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "millrace.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- /* The workloads as a JSON object: those of roles, or one that is called "all". */}}
{{- define "millrace.workloads" -}}
{{- if eq .Values.mode "single" }}{{ dict "all" (merge (dict "replicas" 1) .Values.single) | toJson }}{{ else }}{{ .Values.roles | toJson }}{{ end }}
{{- end }}

{{- /* Of the workloads the one that takes beacons, and the one that answers queries. */}}
{{- define "millrace.collects" }}{{ eq .Values.mode "single" | ternary "all" "collect" }}{{ end }}
{{- define "millrace.queries" }}{{ eq .Values.mode "single" | ternary "all" "query" }}{{ end }}

{{- /* The names of secrets that a role uses, as a JSON array: no Pod has a secret that it needs not. The role query has s3-query in place of s3, if it is there: then the list has s3. Arguments: root, role. */}}
{{- define "millrace.secrets" -}}
{{- $of := dict "influx" (list "all" "emit" "query") "s3" (list "all" "archive" "process" "query") "s3-query" (list) "query-keys" (list "all" "query") "write-keys" (list "all" "collect") "secret" (list "all" "collect") }}
{{- $given := keys .root.Values.secrets }}
{{- if has "s3-query" $given }}{{ $given = append $given "s3" | uniq }}{{ end }}
{{- $used := list }}
{{- range $name := $given | sortAlpha }}
{{- if and (not (hasKey $.root.Values.secrets $name)) (ne $.role "query") }}{{ continue }}{{ end }}
{{- if or (not (hasKey $of $name)) (has $.role (get $of $name)) }}{{ $used = append $used $name }}{{ end }}
{{- end }}
{{- $used | toJson }}
{{- end }}

{{- /* Which of secrets a role has under a name, as a JSON object. Arguments: root, role, name. */}}
{{- define "millrace.secret" -}}
{{- $own := printf "%s-%s" .name .role }}
{{- if and (eq $own "s3-query") (hasKey .root.Values.secrets $own) }}{{ get .root.Values.secrets $own | toJson }}{{ else }}{{ get .root.Values.secrets .name | toJson }}{{ end }}
{{- end }}

{{- /* The file of --config of a role. Arguments: root, role, workload. */}}
{{- define "millrace.config" -}}
{{- $c := mergeOverwrite (deepCopy .root.Values.config) (.workload.config | default dict) }}
{{- range $own := list "roles" "data" "listen" "admin" "drain" }}
{{- if hasKey $c $own }}{{ fail (printf "config: %s is set by the chart" $own) }}{{ end }}
{{- end }}
{{- if eq .role "all" }}
{{- $_ := unset $c "kafka" }}
{{- $_ := unset $c "standby" }}
{{- else }}
{{- if not $c.kafka }}{{ fail "config.kafka: mode cluster needs the addresses of a Kafka" }}{{ end }}
{{- $_ := set $c "roles" (list .role) }}
{{- end }}
{{- if has .role (list "all" "collect" "query") }}
{{- $_ := set $c "drain" (printf "%ds" (int .workload.drain)) }}
{{- end }}
{{- if .root.Values.sitesFile }}
{{- $_ := set $c "sites-file" "/etc/millrace/sites/sites.yaml" }}
{{- end }}
{{- if or (not $c.sites) (hasKey $c "sites-file") }}{{ $_ := unset $c "sites" }}{{ end }}
{{- range $name := include "millrace.secrets" . | fromJsonArray }}
{{- $_ := set $c (printf "%s-file" $name) (printf "/run/secrets/millrace/%s" $name) }}
{{- end }}
{{- range $name, $value := $c }}
{{- /* numbers of values files are floating point */}}
{{- if kindIs "float64" $value }}{{ if eq (float64 (int64 $value)) $value }}{{ $_ := set $c $name (int64 $value) }}{{ end }}{{ end }}
{{- end }}
{{- toYaml $c }}
{{- end }}

{{- /* What is in a Pod. Arguments: root, role, workload. */}}
{{- define "millrace.pod" -}}
{{- $public := has .role (list "all" "collect" "query") }}
{{- $secrets := include "millrace.secrets" . | fromJsonArray }}
{{- $v := .root.Values }}
metadata:
  labels:
    {{- include "millrace.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  annotations:
    checksum/config: {{ include "millrace.config" . | sha256sum }}
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "millrace.serviceAccount" .root }}
  automountServiceAccountToken: false
  # Kubernetes would set MILLRACE_PORT and others for a Service of this name; variables with MILLRACE_ are flags.
  enableServiceLinks: false
  # What goes on being served, and 15 s for the stop itself, and some more for a slow node.
  terminationGracePeriodSeconds: {{ add (.workload.drain | default 0) 25 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if ne .role "all" }}
  topologySpreadConstraints:
    {{- range $v.spreadOver }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "millrace.selector" $.root | nindent 10 }}
          app.kubernetes.io/component: {{ $.role }}
    {{- end }}
  {{- end }}
  containers:
    - name: millrace
      image: {{ include "millrace.image" .root }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve, --config, /etc/millrace/config/config.yaml]
      env:
        - {name: MILLRACE_DATA, value: /data}
        - {name: MILLRACE_LISTEN, value: {{ ternary ":8080" "127.0.0.1:8080" $public | quote }}}
        - {name: MILLRACE_ADMIN, value: ":8081"}
        {{- with .workload.resources }}{{ with .limits }}{{ if .memory }}
        # Go collects harder before the kernel would kill the process.
        - name: GOMEMLIMIT
          valueFrom: {resourceFieldRef: {resource: limits.memory}}
        {{- end }}{{ end }}{{ end }}
        {{- with $v.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if $public }}
        - {name: http, containerPort: 8080}
        {{- end }}
        - {name: admin, containerPort: 8081}
      startupProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: {{ eq .role "all" | ternary "/readyz?role=collect" (printf "/readyz?role=%s" .role) | quote }}, port: admin}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 1
      resources: {{- toYaml .workload.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        - {name: config, mountPath: /etc/millrace/config, readOnly: true}
        {{- if $v.sitesFile }}
        - {name: sites, mountPath: /etc/millrace/sites, readOnly: true}
        {{- end }}
        {{- if $secrets }}
        - {name: secrets, mountPath: /run/secrets/millrace, readOnly: true}
        {{- end }}
        {{- if $v.files }}
        - {name: files, mountPath: /etc/millrace/files, readOnly: true}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "millrace.name" .root }}-{{ .role }}}
    {{- if $v.sitesFile }}
    - name: sites
      configMap: {name: {{ include "millrace.name" .root }}-sites}
    {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- if not .workload.disk }}
    - name: data
      emptyDir: {sizeLimit: {{ $v.ephemeralLimit }}}
    {{- end }}
    {{- if $secrets }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $secrets }}
          {{- $of := include "millrace.secret" (dict "root" $.root "role" $.role "name" .) | fromJson }}
          - secret: {name: {{ $of.secret }}, items: [{key: {{ $of.key | quote }}, path: {{ . }}}]}
          {{- end }}
    {{- end }}
    {{- if $v.files }}
    - name: files
      projected:
        defaultMode: 0440
        sources:
          {{- range $name, $of := $v.files }}
          - secret: {name: {{ $of.secret }}, items: [{key: {{ $of.key | quote }}, path: {{ $name }}}]}
          {{- end }}
    {{- end }}
{{- end }}
