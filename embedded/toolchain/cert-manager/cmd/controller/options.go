package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	_ "github.com/cert-manager/cert-manager/internal/controller/feature"
	"github.com/cert-manager/cert-manager/pkg/apis/certmanager"
	"github.com/cert-manager/cert-manager/pkg/controller"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

// configuration is what the flags say.
type configuration struct {
	context         controller.ContextOptions
	controllers     []string
	workers         int
	election        election
	metrics, health string
	gates           map[string]bool
	log             *logsapi.LoggingConfiguration

	// Only the names of these are for others to choose, so their types differ from those of the context.
	recursiveNameserversOnly bool
}

type election struct {
	isOn                                      bool
	namespace                                 string
	leaseDuration, renewDeadline, retryPeriod time.Duration
	healthzTimeout                            time.Duration
}

// defaults returns upstream's, of internal/apis/config/controller/v1alpha1/defaults.go, which can't be imported.
func defaults() *configuration {
	return &configuration{
		context: controller.ContextOptions{
			KubernetesAPIQPS:   20,
			KubernetesAPIBurst: 50,
			IssuerOptions: controller.IssuerOptions{
				ClusterResourceNamespace:        "kube-system",
				ClusterIssuerAmbientCredentials: true,
			},
			ACMEOptions: controller.ACMEOptions{
				HTTP01SolverImage:                 "quay.io/jetstack/cert-manager-acmesolver:" + util.AppVersion,
				HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
				HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
				HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
				HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
				ACMEHTTP01SolverRunAsNonRoot:      true,
				DNS01Nameservers:                  dnsutil.RecursiveNameservers,
				DNS01CheckRetryPeriod:             10 * time.Second,
			},
			IngressShimOptions: controller.IngressShimOptions{
				DefaultIssuerKind:                 "Issuer",
				DefaultIssuerGroup:                certmanager.GroupName,
				DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
			},
			CertificateOptions: controller.CertificateOptions{
				CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
				CertificateRequestMinimumBackoffDuration: time.Hour,
				CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
			},
			SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: 60},
		},
		controllers: []string{"*"},
		workers:     5,
		election: election{
			isOn:           true,
			namespace:      "kube-system",
			leaseDuration:  60 * time.Second,
			renewDeadline:  40 * time.Second,
			retryPeriod:    15 * time.Second,
			healthzTimeout: 20 * time.Second,
		},
		metrics: "0.0.0.0:9402",
		health:  "0.0.0.0:9403",
		log:     logsapi.NewLoggingConfiguration(),
	}
}

// addFlags adds the flags that the chart may give.
func (c *configuration) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.context.Kubeconfig, "kubeconfig", c.context.Kubeconfig, "path of a kubeconfig; by default that of the pod")
	flags.StringVar(&c.context.Namespace, "namespace", c.context.Namespace, "the only namespace to look at")
	flags.StringVar(&c.context.ClusterResourceNamespace, "cluster-resource-namespace", c.context.ClusterResourceNamespace,
		"namespace of the Secrets of ClusterIssuers")
	flags.StringSliceVar(&c.controllers, "controllers", c.controllers, "controllers to run; * for all, -name for all but name")
	flags.IntVar(&c.context.MaxConcurrentChallenges, "max-concurrent-challenges", c.context.MaxConcurrentChallenges,
		"ACME challenges at the same time")
	flags.BoolVar(&c.context.EnableOwnerRef, "enable-certificate-owner-ref", c.context.EnableOwnerRef,
		"whether a Secret goes when its Certificate goes")
	flags.StringVar(&c.metrics, "metrics-listen-address", c.metrics, "of the metrics; 0 for none")
	flags.StringVar(&c.health, "healthz-listen-address", c.health, "of the health")
	flags.Var(cliflag.NewMapStringBool(&c.gates), "feature-gates",
		"name=true or name=false, of:\n"+strings.Join(utilfeature.DefaultFeatureGate.KnownFeatures(), "\n"))

	flags.BoolVar(&c.election.isOn, "leader-elect", c.election.isOn, "whether only one of several is at work")
	flags.StringVar(&c.election.namespace, "leader-election-namespace", c.election.namespace, "namespace of the Lease")
	flags.DurationVar(&c.election.leaseDuration, "leader-election-lease-duration", c.election.leaseDuration,
		"after which another may become the leader")
	flags.DurationVar(&c.election.renewDeadline, "leader-election-renew-deadline", c.election.renewDeadline,
		"within which the leader renews the Lease")
	flags.DurationVar(&c.election.retryPeriod, "leader-election-retry-period", c.election.retryPeriod, "between two attempts")

	shim := &c.context.IngressShimOptions
	flags.StringVar(&shim.DefaultIssuerName, "default-issuer-name", shim.DefaultIssuerName, "issuer for Ingresses that name none")
	flags.StringVar(&shim.DefaultIssuerKind, "default-issuer-kind", shim.DefaultIssuerKind, "its kind")
	flags.StringVar(&shim.DefaultIssuerGroup, "default-issuer-group", shim.DefaultIssuerGroup, "its API group")

	acme := &c.context.ACMEOptions
	flags.StringVar(&acme.HTTP01SolverImage, "acme-http01-solver-image", acme.HTTP01SolverImage, "of the pods that answer HTTP-01")
	flags.StringVar(&acme.HTTP01SolverRuntimeClassName, "acme-http01-solver-runtime-class-name",
		acme.HTTP01SolverRuntimeClassName, "their RuntimeClass")
	flags.StringToStringVar(&acme.HTTP01SolverExtraLabels, "acme-http01-solver-extra-labels", acme.HTTP01SolverExtraLabels,
		"their further labels")
	flags.StringSliceVar(&acme.DNS01Nameservers, "dns01-recursive-nameservers", acme.DNS01Nameservers,
		"ip:port or https://, for the checks before DNS-01")
	flags.BoolVar(&c.recursiveNameserversOnly, "dns01-recursive-nameservers-only", false, "whether to ask no others")

	logs.AddFlags(c.log, flags)
}

// contextOptions returns what all controllers are told.
func (c *configuration) contextOptions() controller.ContextOptions {
	options := c.context
	options.DNS01CheckAuthoritative = !c.recursiveNameserversOnly
	return options
}

// runs returns whether the controller of a name is to be run.
func (c *configuration) runs(name string) bool {
	if slices.Contains(c.controllers, "-"+name) {
		return false
	}
	// The chart names only those that aren't to be run.
	isExclusion := func(each string) bool { return strings.HasPrefix(each, "-") }
	named := slices.DeleteFunc(slices.Clone(c.controllers), isExclusion)
	return len(named) == 0 || slices.Contains(named, "*") || slices.Contains(named, name)
}
