package awsclient

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsconfig"
)

const (
	functionsPath = "/2015-03-31/functions"
	urlConfigPath = "/2021-10-31/functions"
	tagsPath      = "/2017-03-31/tags/"
)

// functionPath is the path of a function, or of something below it.
func functionPath(name string, below string) string {
	return functionsPath + "/" + url.PathEscape(name) + below
}

func qualified(qualifier string) url.Values {
	if qualifier == "" {
		return nil
	}
	return url.Values{"Qualifier": {qualifier}}
}

// lambda sends a call with a JSON body and reads a JSON answer; in and out may
// be nil.
func (c *Client) lambda(ctx context.Context, operation, method, path string, query url.Values, in, out any) error {
	r := call{service: awsconfig.Lambda, operation: operation, method: method, path: path, query: query}
	if in != nil {
		var err error
		if r.body, err = json.Marshal(in); err != nil {
			return err
		}
		r.header = http.Header{"Content-Type": {"application/json"}}
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	return readJSON(resp, operation, out)
}

// CreateFunction creates a function of a zip.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func (c *Client) CreateFunction(ctx context.Context, in *api.CreateFunctionRequest, zip []byte) (*api.FunctionConfiguration, error) {
	type code struct{ ZipFile []byte }
	body := struct {
		*api.CreateFunctionRequest
		Code code
	}{in, code{zip}}
	out := new(api.FunctionConfiguration)
	return out, c.lambda(ctx, "CreateFunction", http.MethodPost, functionsPath, nil, body, out)
}

// UpdateFunctionCode gives a function another zip.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
func (c *Client) UpdateFunctionCode(ctx context.Context, in *api.UpdateFunctionCodeRequest, zip []byte) (*api.FunctionConfiguration, error) {
	body := struct {
		*api.UpdateFunctionCodeRequest
		ZipFile []byte
	}{in, zip}
	out := new(api.FunctionConfiguration)
	return out, c.lambda(ctx, "UpdateFunctionCode", http.MethodPut, functionPath(*in.FunctionName, "/code"), nil, body, out)
}

// UpdateFunctionConfiguration changes a function's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
func (c *Client) UpdateFunctionConfiguration(ctx context.Context, in *api.UpdateFunctionConfigurationRequest) (*api.FunctionConfiguration, error) {
	out := new(api.FunctionConfiguration)
	return out, c.lambda(ctx, "UpdateFunctionConfiguration", http.MethodPut, functionPath(*in.FunctionName, "/configuration"), nil, in, out)
}

// GetFunction reads a function with its tags.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
func (c *Client) GetFunction(ctx context.Context, name, qualifier string) (*api.GetFunctionResponse, error) {
	out := new(api.GetFunctionResponse)
	return out, c.lambda(ctx, "GetFunction", http.MethodGet, functionPath(name, ""), qualified(qualifier), nil, out)
}

// GetFunctionConfiguration reads a function's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (c *Client) GetFunctionConfiguration(ctx context.Context, name, qualifier string) (*api.FunctionConfiguration, error) {
	out := new(api.FunctionConfiguration)
	return out, c.lambda(ctx, "GetFunctionConfiguration", http.MethodGet, functionPath(name, "/configuration"), qualified(qualifier), nil, out)
}

// ListFunctions reads all functions, page by page.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
func (c *Client) ListFunctions(ctx context.Context) ([]api.FunctionConfiguration, error) {
	var all []api.FunctionConfiguration
	query := url.Values{"MaxItems": {strconv.Itoa(50)}}
	for {
		var page api.ListFunctionsResponse
		if err := c.lambda(ctx, "ListFunctions", http.MethodGet, functionsPath, query, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Functions...)
		if page.NextMarker == nil || *page.NextMarker == "" {
			return all, nil
		}
		query.Set("Marker", *page.NextMarker)
	}
}

// ConcurrencyLimit is how many invocations the account's functions may have at
// once. https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
func (c *Client) ConcurrencyLimit(ctx context.Context) (int, error) {
	var out api.GetAccountSettingsResponse
	err := c.lambda(ctx, "GetAccountSettings", http.MethodGet, "/2016-08-19/account-settings", nil, nil, &out)
	if err != nil || out.AccountLimit == nil {
		return 0, err
	}
	return api.Value(out.AccountLimit.ConcurrentExecutions), nil
}

// DeleteFunction deletes a function, or one version of it.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
func (c *Client) DeleteFunction(ctx context.Context, name, qualifier string) error {
	return c.lambda(ctx, "DeleteFunction", http.MethodDelete, functionPath(name, ""), qualified(qualifier), nil, nil)
}

// PublishVersion makes a version of what $LATEST is now.
// https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
func (c *Client) PublishVersion(ctx context.Context, in *api.PublishVersionRequest) (*api.FunctionConfiguration, error) {
	out := new(api.FunctionConfiguration)
	return out, c.lambda(ctx, "PublishVersion", http.MethodPost, functionPath(*in.FunctionName, "/versions"), nil, in, out)
}

// GetAlias reads an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html
func (c *Client) GetAlias(ctx context.Context, function, alias string) (*api.AliasConfiguration, error) {
	out := new(api.AliasConfiguration)
	return out, c.lambda(ctx, "GetAlias", http.MethodGet, functionPath(function, "/aliases/"+url.PathEscape(alias)), nil, nil, out)
}

// CreateAlias makes an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
func (c *Client) CreateAlias(ctx context.Context, in *api.CreateAliasRequest) error {
	return c.lambda(ctx, "CreateAlias", http.MethodPost, functionPath(*in.FunctionName, "/aliases"), nil, in, nil)
}

// UpdateAlias moves an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html
func (c *Client) UpdateAlias(ctx context.Context, in *api.UpdateAliasRequest) error {
	return c.lambda(ctx, "UpdateAlias", http.MethodPut, functionPath(*in.FunctionName, "/aliases/"+url.PathEscape(*in.Name)), nil, in, nil)
}

// GetPolicy reads a function's resource policy, a JSON document.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func (c *Client) GetPolicy(ctx context.Context, name string) (string, error) {
	var out api.GetPolicyResponse
	err := c.lambda(ctx, "GetPolicy", http.MethodGet, functionPath(name, "/policy"), nil, nil, &out)
	return api.Value(out.Policy), err
}

// AddPermission adds a statement to a function's resource policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (c *Client) AddPermission(ctx context.Context, in *api.AddPermissionRequest) error {
	return c.lambda(ctx, "AddPermission", http.MethodPost, functionPath(*in.FunctionName, "/policy"), nil, in, nil)
}

// TagResource sets tags of a function, named by its ARN.
// https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html
func (c *Client) TagResource(ctx context.Context, arn string, tags map[string]string) error {
	return c.lambda(ctx, "TagResource", http.MethodPost, tagsPath+url.PathEscape(arn), nil, &api.TagResourceRequest{Tags: tags}, nil)
}

// UntagResource removes tags of a function, named by its ARN.
// https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html
func (c *Client) UntagResource(ctx context.Context, arn string, keys []string) error {
	return c.lambda(ctx, "UntagResource", http.MethodDelete, tagsPath+url.PathEscape(arn), url.Values{"tagKeys": keys}, nil, nil)
}

// GetFunctionURL is the URL of a function, or of an alias of it.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html
func (c *Client) GetFunctionURL(ctx context.Context, name, qualifier string) (string, error) {
	var out api.GetFunctionUrlConfigResponse
	err := c.lambda(ctx, "GetFunctionUrlConfig", http.MethodGet, urlConfigPath+"/"+url.PathEscape(name)+"/url", qualified(qualifier), nil, &out)
	return api.Value(out.FunctionUrl), err
}

// CreateFunctionURL gives a function a URL that everybody may call.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html
func (c *Client) CreateFunctionURL(ctx context.Context, in *api.CreateFunctionUrlConfigRequest) (string, error) {
	var out api.CreateFunctionUrlConfigResponse
	err := c.lambda(ctx, "CreateFunctionUrlConfig", http.MethodPost, urlConfigPath+"/"+url.PathEscape(*in.FunctionName)+"/url", nil, in, &out)
	return api.Value(out.FunctionUrl), err
}
