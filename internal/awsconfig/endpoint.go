package awsconfig

import (
	"fmt"
	"net/url"
	"strings"
)

// Service is a service by the name that settings call it: AWS_ENDPOINT_URL_ and
// the name in capitals, or a block of that name in a services section.
type Service string

// The services that lamb calls.
const (
	Lambda  Service = "lambda"
	IAM     Service = "iam"
	STS     Service = "sts"
	Logs    Service = "cloudwatch_logs"
	SSO     Service = "sso"
	ssoOIDC Service = "sso_oidc"
)

// SigningName is what a service is called in signatures.
func (s Service) SigningName() string {
	if s == Logs {
		return "logs"
	}
	return string(s)
}

// host is the beginning of a service's host name.
func (s Service) host() string {
	switch s {
	case SSO:
		return "portal.sso"
	case ssoOIDC:
		return "oidc"
	}
	return s.SigningName()
}

// partitions are Amazon's separate worlds, by the beginnings of their regions'
// names; the last is everywhere else. iam is the one region in which IAM's
// requests are signed.
// https://docs.aws.amazon.com/general/latest/gr/iam-service.html
var partitions = []struct{ prefix, domain, iam, iamHost string }{
	{"cn-", "amazonaws.com.cn", "cn-north-1", "iam.cn-north-1"},
	{"us-gov-", "amazonaws.com", "us-gov-west-1", "iam.us-gov"},
	{"us-isob-", "sc2s.sgov.gov", "us-isob-east-1", "iam.us-isob-east-1"},
	{"us-iso-", "c2s.ic.gov", "us-iso-east-1", "iam.us-iso-east-1"},
	{"us-isof-", "csp.hci.ic.gov", "us-isof-south-1", "iam.us-isof-south-1"},
	{"eu-isoe-", "cloud.adc-e.uk", "eu-isoe-west-1", "iam.eu-isoe-west-1"},
	{"eusc-", "amazonaws.eu", "eusc-de-east-1", "iam.eusc-de-east-1"},
	{"", "amazonaws.com", "us-east-1", "iam"},
}

// Endpoint is a service's base URL in a region, and the region to sign requests
// with: what the environment or the profile says, or else Amazon's own.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (c *Config) Endpoint(s Service, region string) (base, signed string, err error) {
	base, err = c.configured(s)
	if err != nil {
		return "", "", err
	}
	for _, p := range partitions {
		if !strings.HasPrefix(region, p.prefix) {
			continue
		}
		host := s.host() + "." + region
		switch {
		case s == IAM && base == "":
			region, host = p.iam, p.iamHost
		case region == "": // only STS is asked without one
			region, host = p.iam, s.host()
		}
		return firstOf(base, "https://"+host+"."+p.domain), region, nil
	}
	panic("unreachable: the last partition is everywhere")
}

// configured is the endpoint that a variable or setting names, or nothing.
func (c *Config) configured(s Service) (string, error) {
	if c.truth("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
		return "", nil
	}
	for _, variable := range []string{"AWS_ENDPOINT_URL_" + strings.ToUpper(string(s)), "AWS_ENDPOINT_URL"} {
		if v := c.env(variable); v != "" {
			return endpointURL(v, variable)
		}
	}
	if ref, ok := c.profile["services"]; ok {
		services, found := c.files.services[ref.text]
		if !found {
			return "", fmt.Errorf("%s: there is no section [services %s]", ref.at, ref.text)
		}
		if v := services[string(s)].nested["endpoint_url"]; v != "" {
			return endpointURL(v, services[string(s)].at+": endpoint_url")
		}
	}
	if v := c.profile["endpoint_url"]; v.text != "" {
		return endpointURL(v.text, v.at+": endpoint_url")
	}
	return "", nil
}

// endpointURL checks a URL that a setting gives.
func endpointURL(v, from string) (string, error) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s: it is not a URL of http or https", from)
	}
	return strings.TrimSuffix(v, "/"), nil
}
