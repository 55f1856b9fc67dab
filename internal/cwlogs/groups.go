package cwlogs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/store"
)

// retentionDays are the times that AWS allows.
var retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// maxPage is how many groups or streams an answer has, unless the request
// wants fewer.
const maxPage = 50

const standardClass = "STANDARD"

// logGroup is how DescribeLogGroups shows a group.
type logGroup struct {
	LogGroupName      string `json:"logGroupName"`
	CreationTime      int64  `json:"creationTime"` // ms since 1970
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	MetricFilterCount int    `json:"metricFilterCount"`
	ARN               string `json:"arn"`
	StoredBytes       int64  `json:"storedBytes"`
	KMSKeyID          string `json:"kmsKeyId,omitempty"`
	LogGroupClass     string `json:"logGroupClass"`
	LogGroupARN       string `json:"logGroupArn"`
}

// key names a group for package logs.
func key(scope function.Scope, name string) logs.Group {
	return logs.Group{Partition: scope.Partition, Account: scope.Account, Region: scope.Region, Name: name}
}

// keep has the lines of a group kept as long as its record says.
func (s *Service) keep(g *store.LogGroup) {
	if s.cfg.Logs != nil {
		s.cfg.Logs.SetMaxAge(key(g.Scope, g.Name), time.Duration(g.RetentionDays)*24*time.Hour)
	}
}

// groups are those of a scope, by name: the recorded ones, and those that have
// lines.
func (s *Service) groups(ctx context.Context, scope function.Scope) (map[string]*logGroup, error) {
	all := map[string]*logGroup{}
	records, err := s.cfg.Records.ListLogGroups(ctx, scope)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		g := newLogGroup(scope, r.Name, r.Created.UnixMilli())
		g.RetentionInDays, g.KMSKeyID, g.LogGroupClass = r.RetentionDays, r.KMSKeyID, r.Class
		all[r.Name] = g
	}
	if s.cfg.Logs == nil {
		return all, nil
	}
	written, err := s.cfg.Logs.Groups(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range written {
		if (function.Scope{Partition: w.Group.Partition, Account: w.Group.Account, Region: w.Group.Region}) != scope {
			continue
		}
		if all[w.Group.Name] == nil {
			all[w.Group.Name] = newLogGroup(scope, w.Group.Name, w.Created)
		}
		all[w.Group.Name].StoredBytes = w.Bytes
	}
	return all, nil
}

func newLogGroup(scope function.Scope, name string, created int64) *logGroup {
	arn := groupARN(scope, name)
	return &logGroup{LogGroupName: name, CreationTime: created, ARN: arn + ":*", LogGroupARN: arn, LogGroupClass: standardClass}
}

// find returns a group that must be there.
func (s *Service) find(ctx context.Context, scope function.Scope, name string) (*logGroup, error) {
	all, err := s.groups(ctx, scope)
	if err != nil {
		return nil, err
	}
	if all[name] == nil {
		return nil, noGroup()
	}
	return all[name], nil
}

// change writes the record of a group that is there, changed; one that only
// had lines gets its record now.
func (s *Service) change(ctx context.Context, scope function.Scope, name string, change func(*store.LogGroup)) error {
	found, err := s.find(ctx, scope, name)
	if err != nil {
		return err
	}
	g, err := s.cfg.Records.LogGroup(ctx, scope, name)
	if errors.Is(err, store.ErrNotFound) {
		g = &store.LogGroup{Scope: scope, Name: name, Created: time.UnixMilli(found.CreationTime).UTC(), Class: standardClass}
	} else if err != nil {
		return err
	}
	g.Tags = maps.Clone(g.Tags)
	change(g)
	if err := s.cfg.Records.PutLogGroup(ctx, g); err != nil {
		return err
	}
	s.keep(g)
	return nil
}

type createLogGroupInput struct {
	LogGroupName  *string           `json:"logGroupName"`
	KMSKeyID      string            `json:"kmsKeyId"`
	Tags          map[string]string `json:"tags"`
	LogGroupClass string            `json:"logGroupClass"`
}

func (s *Service) createLogGroup(ctx context.Context, scope function.Scope, in *createLogGroupInput) (any, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if in.LogGroupClass == "" {
		in.LogGroupClass = standardClass
	}
	if in.LogGroupClass != standardClass && in.LogGroupClass != "INFREQUENT_ACCESS" && in.LogGroupClass != "DELIVERY" {
		return nil, invalid(fmt.Sprintf("1 validation error detected: Value '%s' at 'logGroupClass' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY]", in.LogGroupClass))
	}
	all, err := s.groups(ctx, scope)
	if err != nil {
		return nil, err
	}
	if all[*in.LogGroupName] != nil {
		return nil, &Error{"ResourceAlreadyExistsException", "The specified log group already exists"}
	}
	return nil, s.cfg.Records.PutLogGroup(ctx, &store.LogGroup{
		Scope: scope, Name: *in.LogGroupName, Created: s.now(), KMSKeyID: in.KMSKeyID, Class: in.LogGroupClass, Tags: in.Tags,
	})
}

type nameInput struct {
	LogGroupName *string `json:"logGroupName"`
}

func (s *Service) deleteLogGroup(ctx context.Context, scope function.Scope, in *nameInput) (any, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	name := *in.LogGroupName
	if _, err := s.find(ctx, scope, name); err != nil {
		return nil, err
	}
	if err := s.cfg.Records.DeleteLogGroup(ctx, scope, name); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if s.cfg.Logs == nil {
		return nil, nil
	}
	s.cfg.Logs.SetMaxAge(key(scope, name), 0)
	return nil, s.cfg.Logs.Delete(ctx, key(scope, name))
}

type putRetentionPolicyInput struct {
	LogGroupName    *string `json:"logGroupName"`
	RetentionInDays *int    `json:"retentionInDays"`
}

func (s *Service) putRetentionPolicy(ctx context.Context, scope function.Scope, in *putRetentionPolicyInput) (any, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	if in.RetentionInDays == nil {
		return nil, invalid("1 validation error detected: Value null at 'retentionInDays' failed to satisfy constraint: Member must not be null")
	}
	if !slices.Contains(retentionDays, *in.RetentionInDays) {
		var valid []string
		for _, d := range retentionDays {
			valid = append(valid, fmt.Sprint(d))
		}
		return nil, invalid(fmt.Sprintf("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [%s]", *in.RetentionInDays, strings.Join(valid, ", ")))
	}
	return nil, s.change(ctx, scope, *in.LogGroupName, func(g *store.LogGroup) { g.RetentionDays = *in.RetentionInDays })
}

func (s *Service) deleteRetentionPolicy(ctx context.Context, scope function.Scope, in *nameInput) (any, error) {
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	return nil, s.change(ctx, scope, *in.LogGroupName, func(g *store.LogGroup) { g.RetentionDays = 0 })
}

type describeLogGroupsInput struct {
	LogGroupNamePrefix  string `json:"logGroupNamePrefix"`
	LogGroupNamePattern string `json:"logGroupNamePattern"`
	LogGroupClass       string `json:"logGroupClass"`
	NextToken           string `json:"nextToken"`
	Limit               int    `json:"limit"`
}

type describeLogGroupsOutput struct {
	LogGroups []*logGroup `json:"logGroups"`
	NextToken string      `json:"nextToken,omitempty"`
}

func (s *Service) describeLogGroups(ctx context.Context, scope function.Scope, in *describeLogGroupsInput) (any, error) {
	if in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "" {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	after, err := parseAfter(in.NextToken)
	if err != nil {
		return nil, err
	}
	all, err := s.groups(ctx, scope)
	if err != nil {
		return nil, err
	}
	out := describeLogGroupsOutput{LogGroups: []*logGroup{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		g := all[name]
		if name <= after || !strings.HasPrefix(name, in.LogGroupNamePrefix) ||
			!strings.Contains(strings.ToLower(name), strings.ToLower(in.LogGroupNamePattern)) ||
			in.LogGroupClass != "" && g.LogGroupClass != in.LogGroupClass {
			continue
		}
		if len(out.LogGroups) == pageSize(in.Limit) {
			out.NextToken = afterToken(out.LogGroups[len(out.LogGroups)-1].LogGroupName)
			break
		}
		out.LogGroups = append(out.LogGroups, g)
	}
	return out, nil
}

func pageSize(limit int) int {
	if limit <= 0 || limit > maxPage {
		return maxPage
	}
	return limit
}

// afterToken says that a list goes on after a name.
func afterToken(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func parseAfter(token string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(name) > maxName {
		return "", invalid("The specified nextToken is invalid.")
	}
	return string(name), nil
}
