// Package chart proves deploy/chart/millrace.
package chart

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"millrace/deploy/verify"
)

const folder = "../../chart/millrace"

// types are those that an object of the chart may be of.
var types = map[string]func() meta.Object{
	"v1/ConfigMap":                            func() meta.Object { return &core.ConfigMap{} },
	"v1/Service":                              func() meta.Object { return &core.Service{} },
	"v1/ServiceAccount":                       func() meta.Object { return &core.ServiceAccount{} },
	"apps/v1/Deployment":                      func() meta.Object { return &apps.Deployment{} },
	"apps/v1/StatefulSet":                     func() meta.Object { return &apps.StatefulSet{} },
	"autoscaling/v2/HorizontalPodAutoscaler":  func() meta.Object { return &autoscaling.HorizontalPodAutoscaler{} },
	"networking.k8s.io/v1/Ingress":            func() meta.Object { return &networking.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy":      func() meta.Object { return &networking.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":           func() meta.Object { return &policy.PodDisruptionBudget{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() meta.Object { return &monitoring.ServiceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule": func() meta.Object { return &monitoring.PrometheusRule{} },
}

// render returns the objects of the chart for values, as Helm would send them.
func render(release string, values map[string]any) (map[string]meta.Object, error) {
	chart, err := loader.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: release, Namespace: "web", Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	objects := map[string]meta.Object{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, doc := range strings.Split("\n"+files[name], "\n---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			var of meta.TypeMeta
			if err := yaml.Unmarshal([]byte(doc), &of); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, doc)
			}
			if of.Kind == "" { // comments alone
				continue
			}
			make, ok := types[of.APIVersion+"/"+of.Kind]
			if !ok {
				return nil, fmt.Errorf("%s: %s %s is no type of the chart", name, of.APIVersion, of.Kind)
			}
			object := make()
			if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, doc)
			}
			key := of.Kind + "/" + object.GetName()
			if _, twice := objects[key]; twice {
				return nil, fmt.Errorf("%s: %s is there twice", name, key)
			}
			objects[key] = object
		}
	}
	return objects, nil
}

// mustExample renders the chart for one of its examples.
func mustExample(t testing.TB, name string) map[string]meta.Object {
	t.Helper()
	values := map[string]any{}
	data, err := os.ReadFile(filepath.Join(folder, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	objects, err := render("millrace", values)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func examples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "examples", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}

// workload is what Deployments and StatefulSets have in common.
type workload struct {
	name, kind string
	pod        core.PodTemplateSpec
	selector   *meta.LabelSelector
	claims     []core.PersistentVolumeClaim
	replicas   *int32
}

func workloads(objects map[string]meta.Object) map[string]workload {
	all := map[string]workload{}
	for _, object := range objects {
		switch o := object.(type) {
		case *apps.Deployment:
			all[o.Name] = workload{o.Name, "Deployment", o.Spec.Template, o.Spec.Selector, nil, o.Spec.Replicas}
		case *apps.StatefulSet:
			all[o.Name] = workload{o.Name, "StatefulSet", o.Spec.Template, o.Spec.Selector, o.Spec.VolumeClaimTemplates, o.Spec.Replicas}
		}
	}
	return all
}

// TestExamples: for each of the values that the chart comes with, all objects are what Kubernetes
// takes, and refer to one another rightly.
func TestExamples(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			objects := mustExample(t, name)
			if len(workloads(objects)) == 0 {
				t.Fatal("no workload")
			}
			for key, object := range objects {
				if errs := validation.IsDNS1123Subdomain(object.GetName()); errs != nil {
					t.Errorf("%s: %v", key, errs)
				}
				for label, value := range object.GetLabels() {
					if errs := append(validation.IsQualifiedName(label), validation.IsValidLabelValue(value)...); errs != nil {
						t.Errorf("%s: label %s: %v", key, label, errs)
					}
				}
				references(t, key, object, objects)
			}
			for _, w := range workloads(objects) {
				checkPod(t, w, objects)
			}
		})
	}
}

// selects reports whether a selector has labels.
func selects(t testing.TB, selector *meta.LabelSelector, labels map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labelSet(labels))
}

type labelSet map[string]string

func (l labelSet) Has(label string) bool              { _, ok := l[label]; return ok }
func (l labelSet) Get(label string) string            { return l[label] }
func (l labelSet) Lookup(label string) (string, bool) { v, ok := l[label]; return v, ok }

// references checks that what an object names is there.
func references(t *testing.T, key string, object meta.Object, objects map[string]meta.Object) {
	all := workloads(objects)
	service := func(name, port string) {
		s, ok := objects["Service/"+name].(*core.Service)
		if !ok || !slices.ContainsFunc(s.Spec.Ports, func(p core.ServicePort) bool { return p.Name == port }) {
			t.Errorf("%s: there is no port %s of Service %s", key, port, name)
		}
	}
	pods := func(selector *meta.LabelSelector, port string) {
		n := 0
		for _, w := range all {
			if !selects(t, selector, w.pod.Labels) {
				continue
			}
			n++
			if port != "" && !slices.ContainsFunc(w.pod.Spec.Containers[0].Ports, func(p core.ContainerPort) bool { return p.Name == port }) {
				t.Errorf("%s: %s has no port %s", key, w.name, port)
			}
		}
		if n == 0 {
			t.Errorf("%s selects no Pod", key)
		}
	}
	switch o := object.(type) {
	case *core.Service:
		for _, p := range o.Spec.Ports {
			pods(&meta.LabelSelector{MatchLabels: o.Spec.Selector}, p.TargetPort.StrVal)
		}
	case *networking.Ingress:
		for _, r := range o.Spec.Rules {
			for _, p := range r.HTTP.Paths {
				service(p.Backend.Service.Name, p.Backend.Service.Port.Name)
			}
		}
	case *autoscaling.HorizontalPodAutoscaler:
		w, ok := all[o.Spec.ScaleTargetRef.Name]
		if !ok || w.kind != o.Spec.ScaleTargetRef.Kind || w.replicas != nil {
			t.Errorf("%s scales %v: %+v", key, o.Spec.ScaleTargetRef, w.replicas)
		} else if w.pod.Spec.Containers[0].Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: %s requests no cpu, of which a share could be measured", key, w.name)
		}
	case *policy.PodDisruptionBudget:
		pods(o.Spec.Selector, "")
	case *networking.NetworkPolicy:
		pods(&o.Spec.PodSelector, "")
	case *apps.StatefulSet:
		service(o.Spec.ServiceName, "admin")
	case *monitoring.ServiceMonitor:
		n := 0
		for _, other := range objects {
			if s, ok := other.(*core.Service); ok && selects(t, &o.Spec.Selector, s.Labels) {
				service(s.Name, o.Spec.Endpoints[0].Port)
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s selects %d Services", key, n)
		}
	}
}

// checkPod checks what every Pod has to be.
func checkPod(t *testing.T, w workload, objects map[string]meta.Object) {
	spec, c := w.pod.Spec, w.pod.Spec.Containers[0]
	if !selects(t, w.selector, w.pod.Labels) {
		t.Errorf("%s does not select its own Pods", w.name)
	}
	for other, o := range workloads(objects) {
		if other != w.name && selects(t, w.selector, o.pod.Labels) {
			t.Errorf("%s selects the Pods of %s", w.name, other)
		}
	}
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || *s.RunAsUser == 0 || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: %+v", w.name, s)
	}
	if s := c.SecurityContext; s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
		t.Errorf("%s: %+v", w.name, s)
	}
	if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
		t.Errorf("%s: Kubernetes would set MILLRACE_… variables of its own", w.name)
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("%s has a token of Kubernetes", w.name)
	}
	config := mustConfig(t, w, objects)
	drain := 0
	fmt.Sscanf(fmt.Sprint(config["drain"]), "%ds", &drain)
	if *spec.TerminationGracePeriodSeconds < int64(drain)+20 {
		t.Errorf("%s is killed after %d s: it drains for %d s, and then stops within 15", w.name, *spec.TerminationGracePeriodSeconds, drain)
	}
	if p := c.ReadinessProbe; p != nil && drain > 0 && drain < 2*int(p.PeriodSeconds)*int(p.FailureThreshold) {
		t.Errorf("%s drains for %d s, its probe is every %d s", w.name, drain, p.PeriodSeconds)
	}
	for name, p := range map[string]*core.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p == nil || p.HTTPGet.Port.StrVal != "admin" {
			t.Errorf("%s: %s probe %+v", w.name, name, p)
		}
	}
	role := w.pod.Labels["app.kubernetes.io/component"]
	if want := "/readyz?role=" + strings.Replace(role, "all", "collect", 1); c.ReadinessProbe.HTTPGet.Path != want || c.LivenessProbe.HTTPGet.Path != "/livez" {
		t.Errorf("%s: probes %s, want %s", w.name, c.ReadinessProbe.HTTPGet.Path, want)
	}
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && objects["ConfigMap/"+v.ConfigMap.Name] == nil {
			t.Errorf("%s: there is no ConfigMap %s", w.name, v.ConfigMap.Name)
		}
	}
	for _, claim := range w.claims {
		volumes[claim.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("%s: there is no volume %s", w.name, m.Name)
		}
	}
	if (w.kind == "StatefulSet") != (len(w.claims) == 1) {
		t.Errorf("%s: %d claims", w.name, len(w.claims))
	}
}

// mustConfig returns the file of --config of a workload.
func mustConfig(t testing.TB, w workload, objects map[string]meta.Object) map[string]any {
	t.Helper()
	config := map[string]any{}
	m, ok := objects["ConfigMap/"+w.name].(*core.ConfigMap)
	if !ok {
		t.Fatalf("no ConfigMap %s", w.name)
	}
	if err := yaml.Unmarshal([]byte(m.Data["config.yaml"]), &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// secretValues are those that a test puts into the files of Secrets.
var secretValues = map[string]string{
	"influx": "http://user:password@127.0.0.1:1/millrace", "s3": "s3://key:secret@127.0.0.1:1/millrace",
	"secret": strings.Repeat("5e", 32), "query-keys": "sha256:" + strings.Repeat("0", 64), "write-keys": "sha256:" + strings.Repeat("1", 64),
	"kafka-password": "password",
}

// mustAuthority makes a certificate of an authority, in PEM.
func mustAuthority(t testing.TB) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, is, is, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestProgram: the program takes what the chart sets, for each role of each example: it starts as far
// as the Kafka that is not there.
func TestProgram(t *testing.T) {
	for _, name := range examples(t) {
		objects := mustExample(t, name)
		for _, w := range workloads(objects) {
			role := w.pod.Labels["app.kubernetes.io/component"]
			if role == "all" {
				continue // the test of the image starts one without a Kafka
			}
			t.Run(name+"/"+role, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				config := objects["ConfigMap/"+w.name].(*core.ConfigMap).Data["config.yaml"]
				write := func(name, data string) {
					path := filepath.Join(dir, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				for _, v := range w.pod.Spec.Volumes {
					if v.Name == "secrets" {
						for _, s := range v.Projected.Sources {
							write("run/secrets/millrace/"+s.Secret.Items[0].Path, secretValues[s.Secret.Items[0].Path])
						}
					}
					if v.Name == "sites" {
						write("etc/millrace/sites/sites.yaml", objects["ConfigMap/"+v.ConfigMap.Name].(*core.ConfigMap).Data["sites.yaml"])
					}
				}
				write("etc/millrace/files/ca.crt", mustAuthority(t))
				kafka := fmt.Sprint(mustConfig(t, w, objects)["kafka"])
				config = strings.ReplaceAll(config, "kafka: "+kafka, `kafka: "`+verify.NoKafka+`"`)
				config = strings.NewReplacer("/run/secrets/", dir+"/run/secrets/", "/etc/millrace/", dir+"/etc/millrace/").Replace(config)
				write("etc/millrace/config/config.yaml", config)
				var env []string
				for _, e := range w.pod.Spec.Containers[0].Env {
					switch {
					case e.Name == "MILLRACE_ADMIN":
						e.Value = "127.0.0.1:0"
					case e.Name == "MILLRACE_LISTEN":
						e.Value = strings.Replace(e.Value, ":8080", ":0", 1)
					case e.Name == "MILLRACE_DATA":
						e.Value = dir + "/data"
					case e.ValueFrom != nil:
						continue
					}
					env = append(env, e.Name+"="+e.Value)
				}
				var args []string
				for _, arg := range w.pod.Spec.Containers[0].Args {
					args = append(args, strings.Replace(arg, "/etc/millrace/", dir+"/etc/millrace/", 1))
				}
				verify.Accepts(t, env, args...)
			})
		}
	}
}

// TestSecrets: a Pod has the Secrets of its role alone, and none is in a ConfigMap or a variable.
func TestSecrets(t *testing.T) {
	objects := mustExample(t, "million.yaml")
	want := map[string]string{
		"collect": "secret write-keys", "process": "s3", "emit": "influx", "archive": "s3", "query": "influx query-keys s3",
	}
	for _, w := range workloads(objects) {
		role := w.pod.Labels["app.kubernetes.io/component"]
		var got []string
		for _, v := range w.pod.Spec.Volumes {
			if v.Projected == nil {
				continue
			}
			if *v.Projected.DefaultMode&0o007 != 0 {
				t.Errorf("%s: mode %o", w.name, *v.Projected.DefaultMode)
			}
			for _, s := range v.Projected.Sources {
				got = append(got, s.Secret.Items[0].Path)
				// Who answers may read the bucket, and no more.
				if key := s.Secret.Items[0].Key; s.Secret.Items[0].Path == "s3" && (key == "s3-query") != (role == "query") {
					t.Errorf("%s has the key %s of the bucket", w.name, key)
				}
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want[role] {
			t.Errorf("%s has %q, want %q", role, got, want[role])
		}
	}
}

// TestRefused: values that would install something that does not run are refused by name.
func TestRefused(t *testing.T) {
	f := func(want, values string) {
		t.Helper()
		v := map[string]any{}
		if err := yaml.Unmarshal([]byte(values), &v); err != nil {
			t.Fatal(err)
		}
		if _, err := render("millrace", v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", values, err, want)
		}
	}
	f("needs the addresses of a Kafka", "{}")
	f("replica", "{config: {kafka: k}, roles: {process: {replica: 3}}}")
	f("influx", "{config: {kafka: k, influx: 'http://u:p@h/d'}}")
	f("admin is set by the chart", "{config: {kafka: k, admin: ':1'}}")
	f("drain is set by the chart", "{config: {kafka: k}, roles: {collect: {config: {drain: 1s}}}}")
	f("disk", "{config: {kafka: k}, roles: {process: {disk: ''}}}")
	f("host", "{config: {kafka: k}, ingress: {enabled: true}}")
	f("digest", "{config: {kafka: k}, image: {digest: latest}}")
	f("mode", "{mode: both}")
	f("key", "{config: {kafka: k}, secrets: {influx: {secret: a}}}")
}

// TestRules: the chart has the rules that are tested, byte for byte.
func TestRules(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join(folder, "files", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tested, err := os.ReadFile("../../prometheus/rules.yaml")
	if err != nil || !bytes.Equal(ours, tested) {
		t.Errorf("files/rules.yaml is not deploy/prometheus/rules.yaml: %v", err)
	}
	rules := mustExample(t, "million.yaml")["PrometheusRule/millrace"].(*monitoring.PrometheusRule)
	if len(rules.Spec.Groups) == 0 || len(rules.Spec.Groups[0].Rules) < 15 {
		t.Errorf("%+v", rules.Spec)
	}
}

// TestNames: any name of a release gives names that Kubernetes takes.
func TestNames(t *testing.T) {
	for _, release := range []string{"millrace", "stats", "our-millrace-2", strings.Repeat("x", 53)} {
		objects, err := render(release, map[string]any{"config": map[string]any{"kafka": "k:9092"}})
		if err != nil {
			t.Fatal(err)
		}
		for key, object := range objects {
			if errs := validation.IsDNS1035Label(object.GetName()); errs != nil {
				t.Errorf("%s: %s: %v", release, key, errs)
			}
		}
	}
}
