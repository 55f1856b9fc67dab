package auth

import "strings"

// The names that requests are signed for.
const (
	Service     = "lambda" // the Lambda API
	LogsService = "logs"   // CloudWatch Logs
)

// CheckService refuses a signature that was made for another service.
func (s Signature) CheckService(service string) error {
	if s.Service != service {
		return invalid("Credential should be scoped to correct service: '" + service + "'.")
	}
	return nil
}

// ValidRegion reports whether region has the form of an AWS region as it
// stands in ARNs: "us-east-1", "us-gov-west-1", "eusc-de-east-1".
func ValidRegion(region string) bool {
	rest := strings.TrimPrefix(region, "eusc-")
	parts := strings.Split(rest, "-")
	if len(rest) > 32 || len(parts) < 3 || len(parts) > 4 || len(parts[0]) != 2 || !isLower(parts[0]) {
		return false
	}
	if len(parts) == 4 {
		if p := parts[1]; p != "gov" && p != "iso" && !(len(p) == 4 && strings.HasPrefix(p, "iso") && isLower(p)) {
			return false
		}
	}
	place, number := parts[len(parts)-2], parts[len(parts)-1]
	return place != "" && isLower(place) && len(number) == 1 && number[0] >= '0' && number[0] <= '9'
}

func isLower(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}

// partitions are the regions' prefixes that do not belong to "aws"; the
// longer prefix comes first.
var partitions = []struct{ prefix, partition string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"us-isob-", "aws-iso-b"},
	{"us-isof-", "aws-iso-f"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-iso-", "aws-iso"},
	{"eusc-", "aws-eusc"},
}

// Partition is the AWS partition that a region belongs to; "aws" for all but
// a few.
func Partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

// IsAccountID reports whether s is an account id: 12 digits.
func IsAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Account is the account that an access key other than a minted one acts in.
// An access key id of exactly 12 digits is the account itself, a habit of
// local AWS servers which lets one client use several accounts; every other
// key acts in the configured account.
func Account(accessKeyID, configured string) string {
	if IsAccountID(accessKeyID) {
		return accessKeyID
	}
	return configured
}
