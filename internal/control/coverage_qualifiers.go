package control

import "slices"

// qualifierOperations are those about what belongs to a function by a
// qualifier: aliases, policies, URLs; and its tags.
func qualifierOperations() map[string]OperationCoverage {
	const (
		unqualified = "unqualified, or with `$LATEST`"
		cors        = "checked, stored and shown; a method must be one of those that AWS documents"
	)
	return map[string]OperationCoverage{
		"AddPermission": {
			Note: "A policy is the function's, a version's or an alias's own, and is evaluated for function URLs; who signs with an account's key may call all of its functions without one.",
			Members: []MemberCoverage{
				honoured("FunctionName", ""),
				honoured("StatementId", ""),
				honoured("Action", "any that the API's pattern allows"),
				honoured("Principal", "`*`, an account, the ARN of a user, role or session, or a service's name; whether it exists is not looked up"),
				honoured("SourceArn", ""),
				honoured("SourceAccount", ""),
				honoured("EventSourceToken", ""),
				honoured("Qualifier", "a version or an alias"),
				honoured("RevisionId", ""),
				honoured("PrincipalOrgID", "no caller is known to be in an organization: the statement permits nothing yet"),
				honoured("FunctionUrlAuthType", "with `lambda:InvokeFunctionUrl` only"),
				honoured("InvokedViaFunctionUrl", "with `lambda:InvokeFunction` only; false is as if it were not given"),
			},
		},
		"CreateAlias": {Members: append(aliasMembers(), honoured("FunctionVersion", "`$LATEST` or a version"))},
		"CreateFunctionUrlConfig": {
			Note: "The URL is `http://ID.lambda-url.REGION.DOMAIN:PORT/`, with the domain of `--url-domain`.",
			Members: slices.Concat(urlMembers(), []MemberCoverage{
				honoured("AuthType", ""),
				honoured("InvokeMode", "shown again only if it was given, as recorded"),
			}, corsMembers(cors)),
		},
		"DeleteAlias": {
			Note:    "Its policy goes with it; its URL stays, as on AWS, and calls nothing.",
			Members: []MemberCoverage{honoured("FunctionName", unqualified), honoured("Name", "")},
		},
		"DeleteFunctionUrlConfig": {Members: urlMembers()},
		"GetAlias":                {Members: []MemberCoverage{honoured("FunctionName", unqualified), honoured("Name", "")}},
		"GetFunctionUrlConfig":    {Members: urlMembers()},
		"GetPolicy": {Members: []MemberCoverage{
			honoured("FunctionName", ""),
			honoured("Qualifier", "a version or an alias; with `$LATEST` the function's policy is shown"),
		}},
		"ListAliases": {Members: []MemberCoverage{
			honoured("FunctionName", unqualified),
			honoured("FunctionVersion", "aliases that invoke the version, be it as their second one"),
			honoured("Marker", ""),
			honoured("MaxItems", "a page has at most 50"),
		}},
		"ListFunctionUrlConfigs": {Members: []MemberCoverage{
			honoured("FunctionName", unqualified),
			honoured("Marker", ""),
			honoured("MaxItems", ""),
		}},
		"ListTags": {Members: tagMembers()},
		"RemovePermission": {Members: []MemberCoverage{
			honoured("FunctionName", ""),
			honoured("StatementId", ""),
			honoured("Qualifier", "a version or an alias"),
			honoured("RevisionId", ""),
		}},
		"TagResource":   {Members: append(tagMembers(), honoured("Tags", "up to 50"))},
		"UntagResource": {Members: append(tagMembers(), honoured("TagKeys", ""))},
		"UpdateAlias": {
			Note: "Members that are not given stay.",
			Members: append(aliasMembers(),
				honoured("FunctionVersion", "`$LATEST` or a version"), honoured("RevisionId", "")),
		},
		"UpdateFunctionUrlConfig": {
			Note: "Members that are not given stay; Cors is replaced as a whole.",
			Members: slices.Concat(urlMembers(), []MemberCoverage{
				honoured("AuthType", ""),
				honoured("InvokeMode", ""),
			}, corsMembers(cors)),
		},
	}
}

func aliasMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", "unqualified, or with `$LATEST`"),
		honoured("Name", ""),
		honoured("Description", ""),
		honoured("RoutingConfig.AdditionalVersionWeights", "one version; every invocation chooses anew"),
	}
}

func urlMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", ""),
		honoured("Qualifier", "an alias; `$LATEST` and versions are refused as AWS does"),
	}
}

func corsMembers(note string) []MemberCoverage {
	return []MemberCoverage{
		honoured("Cors.AllowCredentials", ""),
		honoured("Cors.AllowHeaders", ""),
		honoured("Cors.AllowMethods", note),
		honoured("Cors.AllowOrigins", ""),
		honoured("Cors.ExposeHeaders", ""),
		honoured("Cors.MaxAge", ""),
	}
}

func tagMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("Resource", "a function; nothing else that can have tags exists, and is answered so"),
	}
}
