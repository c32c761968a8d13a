package apic

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// FeatureName is the name of a feature (7.5).
type FeatureName string

// The features that an instance has.
const (
	FeatureLTS               FeatureName = "lts"
	FeatureGatewayResponses  FeatureName = "gateway_responses" // not to be set
	FeatureRateLimit         FeatureName = "ratelimit"
	FeatureRequestBodySize   FeatureName = "request_body_size"
	FeatureBackendTimeout    FeatureName = "backend_timeout"
	FeatureAppToken          FeatureName = "app_token"
	FeatureAppAPIKey         FeatureName = "app_api_key"
	FeatureAppBasic          FeatureName = "app_basic"
	FeatureAppSecret         FeatureName = "app_secret"
	FeatureAppJWT            FeatureName = "app_jwt"
	FeaturePublicKey         FeatureName = "public_key"
	FeatureBackendTokenAllow FeatureName = "backend_token_allow"
	FeatureSignBasic         FeatureName = "sign_basic" // not to be set
	FeatureMultiAuth         FeatureName = "multi_auth" // not to be set
	FeatureClientCertificate FeatureName = "backend_client_certificate"
	FeatureSSLCiphers        FeatureName = "ssl_ciphers"
	FeatureAppConfig         FeatureName = "app_config"   // not to be set
	FeatureGreenTunnel       FeatureName = "green_tunnel" // not to be set
	FeatureAppRoute          FeatureName = "app_route"
	FeatureDefaultGroupHide  FeatureName = "default_group_hide"
	FeatureCascade           FeatureName = "cascade"
	FeatureSandbox           FeatureName = "sandbox"
	FeatureLiveData          FeatureName = "livedata_config"
	FeatureRealIP            FeatureName = "real_ip_from_xff"
)

// unsupportedFeatures are those that newer gateways have: they are known here,
// and refused.
var unsupportedFeatures = map[FeatureName]bool{
	"apiclient_first_use_x_hw_id": true, "cors": true, "api_task": true, "app_quota": true, "app_acl": true,
	"vpc_backup": true, "throttle_strategy": true, "kafka_log_plugin_options": true, "gzip": true,
	"js_invocable_cache_size": true,
}

// Features is what the features of an instance come to: of one that is not
// enabled the defaults.
type Features struct {
	// Those that no call can set.
	GatewayResponses, SignBasic, MultiAuth, AppConfig, GreenTunnel bool

	Log        LogFeature
	APILimit   int           // calls a second of an API that no throttling policy is bound to
	MaxBody    int64         // bytes
	MaxTimeout time.Duration // of a backend
	AppToken   AppTokenFeature
	AppJWT     AppJWTFeature
	// Ways for an application to say who it is, besides a signature.
	AppAPIKey, AppBasic, AppSecret bool
	AppRoute                       bool // APIs can be called at the gateway's address
	DefaultGroupHide               bool
	PublicKey                      bool // signature keys of the kind
	BackendTokens                  BackendTokenFeature
	ClientCertificate              ClientCertificateFeature
	Ciphers                        []string // names of OpenSSL's
	Cascade                        CascadeFeature
	Scripts                        ScriptFeature
	RealIP                         RealIPFeature
}

// Features is what the features of the instance come to.
func (n Snapshot) Features() Features { return of(n.sys).effective(n.state, n.scope) }

func (s *system) effective(st *mirror.State, scope core.Scope) Features {
	on := func(name FeatureName) bool { return s.on(st, scope, name) }
	return Features{
		GatewayResponses: on(FeatureGatewayResponses), SignBasic: on(FeatureSignBasic), MultiAuth: on(FeatureMultiAuth),
		AppConfig: on(FeatureAppConfig), GreenTunnel: on(FeatureGreenTunnel),
		Log:      logFeature.of(s, st, scope),
		APILimit: rateLimitFeature.of(s, st, scope).APILimits, MaxBody: bodySizeFeature.of(s, st, scope),
		MaxTimeout: time.Duration(timeoutFeature.of(s, st, scope).Max) * time.Millisecond,
		AppToken:   appTokenFeature.of(s, st, scope), AppJWT: appJWTFeature.of(s, st, scope),
		AppAPIKey: on(FeatureAppAPIKey), AppBasic: on(FeatureAppBasic), AppSecret: on(FeatureAppSecret),
		AppRoute: on(FeatureAppRoute), DefaultGroupHide: on(FeatureDefaultGroupHide), PublicKey: on(FeaturePublicKey),
		BackendTokens: backendTokenFeature.of(s, st, scope), ClientCertificate: certificateFeature.of(s, st, scope),
		Ciphers: slices.Clone(ciphersFeature.of(s, st, scope).Ciphers), Cascade: cascadeFeature.of(s, st, scope),
		Scripts: s.scripts(st, scope), RealIP: realIPFeature.of(s, st, scope),
	}
}

// scripts is livedata_config where it is enabled, and else what sandbox says.
func (s *system) scripts(st *mirror.State, scope core.Scope) ScriptFeature {
	v := liveDataFeature.of(s, st, scope)
	if row := s.feature(st, scope, FeatureLiveData); row == nil || !row.Enable {
		v.Sandbox = sandboxFeature.of(s, st, scope)
	}
	return v
}

// OnOff is a parameter that is on or off.
type OnOff bool

// UnmarshalText takes on and off.
func (s *OnOff) UnmarshalText(text []byte) error {
	switch string(text) {
	case "on":
		*s = true
	case "off":
		*s = false
	default:
		return errors.New("a switch is neither on nor off")
	}
	return nil
}

// MarshalText is the reverse of UnmarshalText.
func (s OnOff) MarshalText() ([]byte, error) {
	if s {
		return []byte("on"), nil
	}
	return []byte("off"), nil
}

// LogFeature is where the log of calls goes.
type LogFeature struct {
	Group     string `json:"group_id"`
	Topic     string `json:"topic_id"`
	GroupName string `json:"log_group"`
	Stream    string `json:"log_stream"`
}

// AppTokenFeature is authentication of applications by tokens that the gateway
// gives out.
type AppTokenFeature struct {
	On      OnOff  `json:"enable"`
	Expire  int    `json:"app_token_expire_time"`     // seconds
	Refresh int    `json:"refresh_token_expire_time"` // seconds
	URI     string `json:"app_token_uri"`             // where they are given out
	Key     string `json:"app_token_key"`             // that they are encrypted with
}

// AppJWTFeature is authentication of applications by JSON web tokens.
type AppJWTFeature struct {
	On     OnOff  `json:"enable"`
	Header string `json:"auth_header"`
}

// BackendTokenFeature is whose tokens go on to backends.
type BackendTokenFeature struct {
	Users []string `json:"backend_token_allow_users"` // regular expressions of account names

	forms []*regexp.Regexp
}

// Allows reports whether the token of an account's user goes on to a backend.
func (f BackendTokenFeature) Allows(domainName string) bool {
	return slices.ContainsFunc(f.forms, func(form *regexp.Regexp) bool { return form.MatchString(domainName) })
}

// ClientCertificateFeature is what the gateway shows to backends that ask for
// a certificate. All are PEM.
type ClientCertificateFeature struct {
	On      OnOff  `json:"enable"`
	CA      string `json:"ca"` // that backends are trusted by; "" is the system's
	Content string `json:"content"`
	Key     string `json:"key"`
}

// CascadeFeature is other gateways as backends.
type CascadeFeature struct {
	On        OnOff  `json:"enable"`
	Key       string `json:"cascade_auth_key"`
	Instances string `json:"cascade_instance_ids"` // which may call this one, with commas between
}

// SandboxFeature is what a script may use.
type SandboxFeature struct {
	MaxCPU    int   `json:"max_cpu_time"` // milliseconds
	MaxMemory int64 `json:"max_memory"`   // bytes
}

// ScriptFeature is how custom backends run.
type ScriptFeature struct {
	Sandbox         SandboxFeature `json:"-"`
	Env             string         `json:"livedata_env"`        // online, offline
	AddressProtocol string         `json:"gw_address_protocol"` // none, http, https
	Async           OnOff          `json:"procedure_async"`     // stored procedures
	ReturnType      string         `json:"dataapi_return_type"` // no_string, string
}

// UnmarshalJSON reads both parts from one object.
func (f *ScriptFeature) UnmarshalJSON(b []byte) error {
	type plain ScriptFeature
	return errors.Join(json.Unmarshal(b, &f.Sandbox), json.Unmarshal(b, (*plain)(f)))
}

// RealIPFeature is which address of X-Forwarded-For is the caller's.
type RealIPFeature struct {
	On    OnOff `json:"enable"`
	Index int32 `json:"xff_index"` // from the left from 0, or from the right from -1
}

type (
	rateLimit struct {
		APILimits int `json:"api_limits"` // calls a second
	}
	backendTimeout struct {
		Max int `json:"max_timeout"` // milliseconds
	}
	sslCiphers struct {
		Ciphers []string `json:"ssl_ciphers"`
	}
)

const (
	// longestTimeout is the longest timeout of a backend, in milliseconds, that
	// an instance may allow.
	longestTimeout = 600_000

	mega   = 1 << 20
	tokens = 72000 // seconds
)

var knownCiphers = []string{
	"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256",
	"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384",
	"ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256",
}

// The features with parameters, with the defaults and ranges of 7.5.
var (
	logFeature       = object(FeatureLTS, `{"group_id":"","topic_id":"","log_group":"","log_stream":""}`, nil, func(*LogFeature) error { return nil })
	rateLimitFeature = object(FeatureRateLimit, `{"api_limits":200}`, nil, func(v *rateLimit) error {
		return between("api_limits", v.APILimits, 1, 1_000_000)
	})
	bodySizeFeature = plain(FeatureRequestBodySize, strconv.Itoa(12*mega), nil, func(text string) (int64, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%.40q is not a number of bytes", text)
		}
		return n, between("the number of bytes", n, 1*mega, 9536*mega)
	})
	timeoutFeature = object(FeatureBackendTimeout, `{"max_timeout":60000}`, nil, func(v *backendTimeout) error {
		return between("max_timeout", v.Max, 1, longestTimeout)
	})
	appTokenFeature = object(FeatureAppToken,
		`{"enable":"off","app_token_expire_time":3600,"refresh_token_expire_time":7200,"app_token_uri":"/v1/apigw/oauth2/token","app_token_key":""}`,
		func(v *AppTokenFeature) bool { return bool(v.On) },
		func(v *AppTokenFeature) error {
			if !strings.HasPrefix(v.URI, "/") {
				return errors.New("app_token_uri does not begin with /")
			}
			return errors.Join(between("app_token_expire_time", v.Expire, 1, tokens), between("refresh_token_expire_time", v.Refresh, 1, tokens))
		})
	appJWTFeature = object(FeatureAppJWT, `{"enable":"off","auth_header":"Authorization"}`,
		func(v *AppJWTFeature) bool { return bool(v.On) },
		func(v *AppJWTFeature) error {
			if v.Header == "" {
				return errors.New("auth_header is empty")
			}
			return nil
		})
	backendTokenFeature = object(FeatureBackendTokenAllow, `{"backend_token_allow_users":[]}`, nil, func(v *BackendTokenFeature) error {
		v.forms = make([]*regexp.Regexp, len(v.Users))
		for i, user := range v.Users {
			form, err := regexp.Compile("^(?:" + user + ")$")
			if err != nil {
				return fmt.Errorf("backend_token_allow_users: item %d is not a regular expression", i)
			}
			v.forms[i] = form
		}
		return nil
	})
	certificateFeature = object(FeatureClientCertificate, `{"enable":"off","ca":"","content":"","key":""}`,
		func(v *ClientCertificateFeature) bool { return bool(v.On) },
		func(v *ClientCertificateFeature) error {
			if v.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(v.CA)) {
				return errors.New("ca has no certificate")
			}
			if v.On || v.Content != "" || v.Key != "" {
				if _, err := tls.X509KeyPair([]byte(v.Content), []byte(v.Key)); err != nil {
					return errors.New("content and key are no certificate with its private key") // which is not to be told
				}
			}
			return nil
		})
	ciphersFeature = object(FeatureSSLCiphers, `{"ssl_ciphers":["`+strings.Join(knownCiphers, `","`)+`"]}`, nil, func(v *sslCiphers) error {
		if len(v.Ciphers) == 0 {
			return errors.New("ssl_ciphers has no item")
		}
		for i, name := range v.Ciphers {
			if !slices.Contains(knownCiphers, name) {
				return fmt.Errorf("ssl_ciphers: item %d is not a cipher suite of the document", i)
			}
		}
		return nil
	})
	cascadeFeature = object(FeatureCascade, `{"enable":"off","cascade_auth_key":"","cascade_instance_ids":""}`,
		func(v *CascadeFeature) bool { return bool(v.On) }, func(*CascadeFeature) error { return nil })
	sandboxFeature  = object(FeatureSandbox, `{"max_cpu_time":60000,"max_memory":268435456}`, nil, (*SandboxFeature).check)
	liveDataFeature = object(FeatureLiveData,
		`{"max_cpu_time":60000,"max_memory":268435456,"livedata_env":"online","gw_address_protocol":"none","procedure_async":"off","dataapi_return_type":"no_string"}`,
		nil, func(v *ScriptFeature) error {
			return errors.Join(v.Sandbox.check(), among("livedata_env", v.Env, "online", "offline"),
				among("gw_address_protocol", v.AddressProtocol, "none", "http", "https"),
				among("dataapi_return_type", v.ReturnType, "no_string", "string"))
		})
	realIPFeature = object(FeatureRealIP, `{"enable":"off","xff_index":-1}`,
		func(v *RealIPFeature) bool { return bool(v.On) }, func(*RealIPFeature) error { return nil })
)

// featureKinds is all features, in the order of the document.
var featureKinds = []featureKind{
	logFeature, unset(FeatureGatewayResponses), rateLimitFeature, bodySizeFeature, timeoutFeature, appTokenFeature,
	switched(FeatureAppAPIKey), switched(FeatureAppBasic), switched(FeatureAppSecret), appJWTFeature,
	switched(FeaturePublicKey), backendTokenFeature, unset(FeatureSignBasic), unset(FeatureMultiAuth), certificateFeature,
	ciphersFeature, unset(FeatureAppConfig), unset(FeatureGreenTunnel), switched(FeatureAppRoute),
	switched(FeatureDefaultGroupHide), cascadeFeature, sandboxFeature, liveDataFeature, realIPFeature,
}

func (f *SandboxFeature) check() error {
	return errors.Join(between("max_cpu_time", f.MaxCPU, 1, 100_000), between("max_memory", f.MaxMemory, 1*mega, 9536*mega))
}

func between[N int | int64](param string, n, a, b N) error {
	if n < a || n > b {
		return fmt.Errorf("%s %d is not between %d and %d", param, n, a, b)
	}
	return nil
}

func among(param, value string, words ...string) error {
	if !slices.Contains(words, value) {
		return fmt.Errorf("%s is none of %s", param, strings.Join(words, ", "))
	}
	return nil
}

// featureKind is a feature whatever the type of its parameters.
type featureKind interface {
	name() FeatureName
	settable() bool
	standard() string // the config with the defaults
	read(config string) (any, error)
	switchedOn(value any) bool
}

// kind is a feature whose parameters are a T.
type kind[T any] struct {
	is       FeatureName
	text     string
	defaults T
	parse    func(string) (T, error)
	on       func(*T) bool // nil: whenever it is enabled
	fixed    bool
}

func (k *kind[T]) name() FeatureName { return k.is }
func (k *kind[T]) settable() bool    { return !k.fixed }
func (k *kind[T]) standard() string  { return k.text }

func (k *kind[T]) read(config string) (any, error) {
	v, err := k.parse(config)
	return v, err
}

func (k *kind[T]) switchedOn(value any) bool {
	v, ok := value.(T)
	if !ok {
		v = k.defaults
	}
	return k.on == nil || k.on(&v)
}

// of is the parameters of the feature in an instance. They are shared.
func (k *kind[T]) of(s *system, st *mirror.State, scope core.Scope) T {
	return k.said(s.feature(st, scope, k.is))
}

// said is the parameters that a record gives, or nil does not.
func (k *kind[T]) said(row *featureRow) T {
	if row != nil && row.Enable {
		if v, ok := row.value.(T); ok {
			return v
		}
	}
	return k.defaults
}

// plain is a feature whose config is a word or a number.
func plain[T any](name FeatureName, text string, on func(*T) bool, parse func(string) (T, error)) *kind[T] {
	k := &kind[T]{is: name, text: text, on: on, parse: parse}
	k.defaults, _ = parse(text)
	return k
}

// switched is a feature whose config is on or off.
func switched(name FeatureName) *kind[OnOff] {
	return plain(name, "off", func(v *OnOff) bool { return bool(*v) }, func(text string) (v OnOff, err error) {
		err = v.UnmarshalText([]byte(text))
		return v, err
	})
}

// unset is a feature that is there, or not, whatever a caller says.
func unset(name FeatureName) *kind[OnOff] {
	k := switched(name)
	k.text, k.fixed = "", true
	return k
}

// object is a feature whose config is the text of a JSON object. Parameters
// that it does not give have their defaults, and unknown ones are ignored.
func object[T any](name FeatureName, text string, on func(*T) bool, check func(*T) error) *kind[T] {
	return plain(name, text, on, func(config string) (v T, err error) {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			panic(err)
		}
		if !strings.HasPrefix(strings.TrimSpace(config), "{") {
			return v, errors.New("is not the text of a JSON object")
		}
		if err := json.Unmarshal([]byte(config), &v); err != nil {
			if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				what, _, _ := strings.Cut(e.Value, " ") // and not which: it may be a key
				return v, fmt.Errorf("%s cannot be a %s", e.Field, what)
			}
			if _, ok := errors.AsType[*json.SyntaxError](err); ok {
				return v, errors.New("is not the text of a JSON object")
			}
			return v, err
		}
		return v, check(&v)
	})
}

func kindOf(name FeatureName) featureKind {
	for _, k := range featureKinds {
		if k.name() == name {
			return k
		}
	}
	return nil
}
