package awsconfig

// A scenario is what somebody's machine says, and what is found there.
type scenario struct {
	name                string
	config, credentials string
	env                 map[string]string
	profile             string // --profile
	// want is KEY TOKEN: the secret is the key's in secrets.
	want       string
	wantRegion string
	wantErr    string // ours; botocore fails too, in its own words, or finds nothing
	// apart is why botocore is not asked.
	apart string
}

const keys = "aws_access_key_id = AKKEYS\naws_secret_access_key = the-secret-keys\n"

func role(name, rest string) string { return "role_arn = " + roleARN + name + "\n" + rest + "\n" }

var scenarios = []scenario{
	{
		name: "environment", want: "AKENV tok", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env", "AWS_SESSION_TOKEN": "tok", "AWS_DEFAULT_REGION": "eu-west-1"},
	},
	{
		name: "environment before the files", config: "[default]\nregion = eu-west-2\n" + keys, want: "AKENV ", wantRegion: "eu-west-2",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env"},
	},
	{
		name: "keys in variables before the variable of a profile", config: "[profile p]\n" + keys, want: "AKENV ",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env", "AWS_PROFILE": "p"},
	},
	{
		name: "a named profile before keys in variables", config: "[profile p]\nregion = r-p\n" + keys, profile: "p", want: "AKKEYS ", wantRegion: "r-p",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env"},
	},
	{name: "half a key in variables", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV"}, wantErr: "AWS_SECRET_ACCESS_KEY is not"},
	{
		name: "expired variables", wantErr: "environment: what it gave has expired",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env", "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"},
	},
	{name: "version 2's variables", env: map[string]string{
		"AWS_REGION": "r-2", "AWS_DEFAULT_REGION": "r-1", "AWS_PROFILE": "two", "AWS_DEFAULT_PROFILE": "one",
	}, config: "[profile one]\n[profile two]\n" + keys, want: "AKKEYS ", wantRegion: "r-2", apart: "botocore reads neither AWS_REGION nor AWS_PROFILE first"},
	{name: "credentials file", config: "[default]\nregion = r-c\n", credentials: "[default]\n" + keys + "aws_session_token = tok\n", want: "AKKEYS tok", wantRegion: "r-c"},
	{name: "region in the credentials file wins", config: "[default]\nregion = r-c\n" + keys, credentials: "[default]\nregion=r-s\n", want: "AKKEYS ", wantRegion: "r-s"},
	{name: "keys of the credentials file win", config: "[default]\naws_access_key_id = NO\naws_secret_access_key = NO\n", credentials: "[default]\n" + keys, want: "AKKEYS "},
	{name: "old name of the token", credentials: "[default]\n" + keys + "aws_security_token = old\naws_session_token = new\n", want: "AKKEYS old"},
	{name: "half a key", credentials: "[default]\naws_access_key_id = AKKEYS\n", wantErr: "credentials:2: aws_access_key_id is set, and aws_secret_access_key is not"},
	{name: "a secret without a key is none", credentials: "[default]\naws_secret_access_key = x\n", wantErr: "there are none"},
	{name: "profile by variable", config: "[profile p]\nregion = r-p\n", credentials: "[p]\n" + keys, env: map[string]string{"AWS_PROFILE": "p"}, want: "AKKEYS ", wantRegion: "r-p"},
	{name: "quoted profile", config: "[profile \"my own\"]\nregion = eu-west-1\n" + keys, profile: "my own", want: "AKKEYS ", wantRegion: "eu-west-1"},
	{name: "no such profile", config: "[profile p]\n", profile: "q", wantErr: `there is no profile "q" in`},
	{name: "no such profile, by variable", env: map[string]string{"AWS_PROFILE": "q"}, wantErr: `there is no profile "q" in`},
	{name: "a section without profile is none", config: "[p]\n" + keys, profile: "p", wantErr: `there is no profile "p" in`},
	{name: "nothing", wantErr: "there are none in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor in profile \"default\""},
	{name: "malformed", config: "[default]\nregion = eu-west-1\nthe-secret\n", wantErr: "config:3: neither a section"},
	{name: "twice, and the later wins", config: "[default]\nregion = r-1\n[default]\nregion = r-2\nregion = r-3\n" + keys, want: "AKKEYS ", wantRegion: "r-3", apart: "botocore refuses it"},
	{name: "profile default", config: "[profile default]\nregion = r-1\n" + keys, want: "AKKEYS ", wantRegion: "r-1"},
	{name: "DEFAULT is for all", config: "[DEFAULT]\nregion = r-d\n[default]\n" + keys, want: "AKKEYS ", wantRegion: "r-d"},
	{name: "dialect", config: "; c\n[default] x\n  REGION: r # 1\n  # c\n  s3 =\n    a = b\n\n  aws_access_key_id=AKKEYS\n  aws_secret_access_key :the-secret-keys\n", want: "AKKEYS ", wantRegion: "r # 1"},

	{name: "process", config: "[default]\ncredential_process = sh $HOME/program.sh \"a b\" 'c'\n", want: "AKPROC args=a b c"},
	{name: "keys before a process", config: "[default]\ncredential_process = false\n", credentials: "[default]\n" + keys, want: "AKKEYS "},
	{name: "process before keys of its file", config: "[default]\ncredential_process = sh $HOME/program.sh\n" + keys, want: "AKPROC args="},
	{name: "process that fails", config: "[default]\ncredential_process = sh -c 'exit 3' the-secret\n", wantErr: "config:2: credential_process: sh: exit status 3"},
	{name: "process that is not there", config: "[default]\ncredential_process = /no/program the-secret\n", wantErr: "config:2: credential_process: /no/program: fork/exec"},
	{name: "process without a version", config: "[default]\ncredential_process = echo '{\"AccessKeyId\":\"the-secret\",\"SecretAccessKey\":\"b\"}'\n", wantErr: "\"Version\": 1"},
	{name: "process that writes no JSON", config: "[default]\ncredential_process = echo the-secret\n", wantErr: "it is not JSON"},
	{name: "process without end of quotation", config: "[default]\ncredential_process = \"a\n", wantErr: "a quotation is not closed"},

	{
		name: "role of a profile", want: "AKKEYS DurationSeconds=900 ExternalId=ext RoleArn=a RoleSessionName=sess by AKKEYS() in eu-west-1", wantRegion: "eu-west-1",
		config:      "[default]\nregion = eu-west-1\n" + role("a", "source_profile = base\nexternal_id = ext\nrole_session_name = sess\nduration_seconds = 900"),
		credentials: "[base]\n" + keys,
	},
	{name: "role, with a session's name made up", config: "[profile r]\nregion = eu-west-2\n" + role("a", "source_profile = base") + "[profile base]\nregion = r-b\n" + keys, profile: "r", want: "AKKEYS RoleArn=a by AKKEYS() in eu-west-2", wantRegion: "eu-west-2"},
	{name: "role before keys", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = default") + keys, want: "AKKEYS RoleArn=a by AKKEYS() in eu-west-1", wantRegion: "eu-west-1"},
	{
		name: "role by a role", want: "AKKEYS RoleArn=b by AKKEYS(RoleArn=a by AKKEYS() in eu-west-1) in eu-west-1", wantRegion: "eu-west-1",
		config: "[profile b]\nregion = eu-west-1\n" + role("b", "source_profile = a") + "[profile a]\n" + role("a", "source_profile = base"), credentials: "[base]\n" + keys, profile: "b",
	},
	{name: "a source with keys and a role gives its keys", config: "[default]\nregion = eu-west-1\n" + role("b", "source_profile = a") + "[profile a]\n" + role("a", "source_profile = none") + keys, want: "AKKEYS RoleArn=b by AKKEYS() in eu-west-1", wantRegion: "eu-west-1"},
	{name: "role by a process", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = p") + "[profile p]\ncredential_process = sh $HOME/program.sh x\n", want: "AKKEYS RoleArn=a by AKPROC(args=x) in eu-west-1", wantRegion: "eu-west-1"},
	{name: "roles in a circle", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = b") + "[profile b]\n" + role("b", "source_profile = default"), wantErr: `the profiles default, b lead back to "default"`, wantRegion: "eu-west-1"},
	{name: "role of itself without keys", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = default"), wantErr: "lead back to", wantRegion: "eu-west-1"},
	{name: "role without a source", config: "[default]\nregion = eu-west-1\n" + role("a", ""), wantErr: "config:3: role_arn needs source_profile or credential_source", wantRegion: "eu-west-1"},
	{name: "role with two sources", config: "[default]\n" + role("a", "source_profile = b\ncredential_source = Environment") + "[profile b]\n" + keys, wantErr: "has both source_profile and credential_source"},
	{name: "role of a source that is not there", config: "[default]\n" + role("a", "source_profile = b"), wantErr: `config:3: source_profile: there is no profile "b"`},
	{name: "role of a source without credentials", config: "[default]\n" + role("a", "source_profile = b") + "[profile b]\nregion = eu-west-1\n", wantErr: `profile "b"`},
	{
		name: "role by the environment", config: "[profile r]\nregion = eu-west-1\n" + role("a", "credential_source = Environment"), profile: "r", want: "AKKEYS RoleArn=a by AKENV() in eu-west-1", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "the-secret-env"},
	},
	{name: "role by an empty environment", config: "[default]\nregion = eu-west-1\n" + role("a", "credential_source = Environment"), wantErr: "config:4: credential_source Environment: it has no credentials", wantRegion: "eu-west-1"},
	{name: "role by something else", config: "[default]\n" + role("a", "credential_source = Sun"), wantErr: "config:3: credential_source is none of"},
	{
		name: "role by the container", config: "[default]\nregion = eu-west-1\n" + role("a", "credential_source = EcsContainer"), want: "AKKEYS RoleArn=a by AKTASK(auth=) in eu-west-1", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/task"},
	},
	{
		name: "role by the instance", config: "[default]\nregion = eu-west-1\n" + role("a", "credential_source = Ec2InstanceMetadata"), want: "AKKEYS RoleArn=a by AKINST(token=imds-token) in eu-west-1", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "$URL"},
	},
	{name: "role that is refused", config: "[default]\nregion = eu-west-1\n" + role("denied", "source_profile = b") + "[profile b]\n" + keys, wantErr: "config:3: role " + roleARN + "denied: AccessDenied: not authorized", wantRegion: "eu-west-1"},
	{name: "role with a device", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = b\nmfa_serial = arn:aws:mfa/m") + "[profile b]\n" + keys, want: "AKKEYS RoleArn=a SerialNumber=arn:aws:mfa/m TokenCode=123456 by AKKEYS() in eu-west-1", wantRegion: "eu-west-1"},

	{
		name: "web identity by variables", want: "AKKEYS RoleArn=w RoleSessionName=sess WebIdentityToken=web-token by nobody", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_ROLE_ARN": roleARN + "w", "AWS_WEB_IDENTITY_TOKEN_FILE": "$HOME/token", "AWS_ROLE_SESSION_NAME": "sess", "AWS_DEFAULT_REGION": "eu-west-1"},
	},
	{name: "web identity by settings", config: "[default]\nregion = eu-west-1\n" + role("w", "web_identity_token_file = $HOME/token"), want: "AKKEYS RoleArn=w WebIdentityToken=web-token by nobody", wantRegion: "eu-west-1"},
	{
		name: "a named profile before web identity", config: "[profile p]\nregion = eu-west-1\n" + keys, profile: "p", want: "AKKEYS ", wantRegion: "eu-west-1",
		env: map[string]string{"AWS_ROLE_ARN": roleARN + "w", "AWS_WEB_IDENTITY_TOKEN_FILE": "$HOME/token"},
	},
	{name: "role by web identity", config: "[default]\nregion = eu-west-1\n" + role("b", "source_profile = w") + "[profile w]\n" + role("w", "web_identity_token_file = $HOME/token"), want: "AKKEYS RoleArn=b by AKKEYS(RoleArn=w WebIdentityToken=web-token by nobody) in eu-west-1", wantRegion: "eu-west-1"},
	{name: "web identity without a role", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "$HOME/token"}, wantErr: "AWS_WEB_IDENTITY_TOKEN_FILE: there is no role_arn or AWS_ROLE_ARN"},
	{name: "web identity without a token", config: "[default]\nregion = eu-west-1\n" + role("w", "web_identity_token_file = $HOME/none"), wantErr: "config:4: web_identity_token_file: open", wantRegion: "eu-west-1"},

	{name: "single sign-on", config: "[default]\nsso_session = good\nsso_account_id = 1\nsso_role_name = dev\nregion = eu-west-1\n[sso-session good]\nsso_start_url = https://start/\nsso_region = r-sso\n", want: "AKSSO role=dev account=1 token=tok", wantRegion: "eu-west-1"},
	{name: "single sign-on without a session", config: "[default]\nsso_start_url = https://start/good\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = dev\n", want: "AKSSO role=dev account=1 token=old"},
	{name: "single sign-on, a token of version 1", config: "[default]\nsso_start_url = https://start/utc\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = dev\n", want: "AKSSO role=dev account=1 token=utc"},
	{name: "single sign-on, renewed", config: "[default]\nsso_session = soon\nsso_account_id = 1\nsso_role_name = dev\n[sso-session soon]\nsso_start_url = https://start/\nsso_region = r-sso\n", want: "AKSSO role=dev account=1 token=renewed"},
	{name: "role by single sign-on", config: "[default]\nregion = eu-west-1\n" + role("a", "source_profile = s") + "[profile s]\nsso_session = good\nsso_account_id = 1\nsso_role_name = dev\n[sso-session good]\nsso_start_url = https://start/\nsso_region = r-sso\n", want: "AKKEYS RoleArn=a by AKSSO(role=dev account=1 token=tok) in eu-west-1", wantRegion: "eu-west-1"},
	{name: "single sign-on that is over", config: "[profile p]\nsso_session = over\nsso_account_id = 1\nsso_role_name = dev\n[sso-session over]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", profile: "p", wantErr: "expired at 2020-01-01T00:00:00Z: log in with 'aws sso login --profile p'"},
	{name: "single sign-on that is over, without a session", config: "[default]\nsso_start_url = https://start/old\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = dev\n", wantErr: "log in with 'aws sso login --profile default'"},
	{name: "single sign-on that was revoked", config: "[default]\nsso_session = revoked\nsso_account_id = 1\nsso_role_name = dev\n[sso-session revoked]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", wantErr: "log in with 'aws sso login --profile default'"},
	{name: "nobody has logged in", config: "[default]\nsso_session = never\nsso_account_id = 1\nsso_role_name = dev\n[sso-session never]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", wantErr: "nobody has logged in: log in with 'aws sso login"},
	{name: "single sign-on with a broken token", config: "[default]\nsso_session = broken\nsso_account_id = 1\nsso_role_name = dev\n[sso-session broken]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", wantErr: "is not JSON"},
	{name: "single sign-on with a token without end", config: "[default]\nsso_session = empty\nsso_account_id = 1\nsso_role_name = dev\n[sso-session empty]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", wantErr: "has no token with an end"},
	{name: "single sign-on of no session", config: "[default]\nsso_session = x\nsso_account_id = 1\nsso_role_name = dev\n", wantErr: "config:2: there is no section [sso-session x]"},
	{name: "single sign-on that contradicts its session", config: "[default]\nsso_session = x\nsso_region = a\nsso_account_id = 1\nsso_role_name = dev\n[sso-session x]\nsso_start_url = u\nsso_region = b\n", wantErr: "config:3: sso_region differs from that of [sso-session x]"},
	{name: "half a single sign-on", config: "[default]\nsso_start_url = u\nsso_region = a\nsso_account_id = 1\n", wantErr: "single sign-on needs sso_role_name, too"},
	{name: "single sign-on before keys", config: "[default]\nsso_session = good\nsso_account_id = 1\nsso_role_name = dev\n[sso-session good]\nsso_start_url = https://start/\nsso_region = eu-west-1\n", credentials: "[default]\n" + keys, want: "AKSSO role=dev account=1 token=tok"},

	{name: "container", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t"}, want: "AKTASK auth=t"},
	{name: "container with a token in a file", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "$HOME/token"}, want: "AKTASK auth=web-token"},
	{name: "container with a broken token", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/task", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "$HOME/broken-token"}, wantErr: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: the token has a line break"},
	{name: "container somewhere else", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://user:the-secret@example.com/task"}, wantErr: `host "example.com" is neither this machine`},
	{name: "container before the instance", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/task", "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "$URL"}, want: "AKTASK auth="},
	{name: "container without credentials", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "$URL/none"}, wantErr: "AWS_CONTAINER_CREDENTIALS_FULL_URI: Not Found (status 404)", apart: "botocore asks again for two seconds"},
	{name: "instance", env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "$URL/"}, want: "AKINST token=imds-token"},
	{name: "instance by settings", config: "[default]\nec2_metadata_service_endpoint = $URL\nmetadata_service_timeout = 5\nmetadata_service_num_attempts = 2\n", env: map[string]string{"AWS_EC2_METADATA_DISABLED": ""}, want: "AKINST token=imds-token"},
	{name: "instance that does not answer as one", env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "$URL/none"}, wantErr: "there are none in"},
	{name: "profile without credentials, and an instance", config: "[profile p]\nregion = eu-west-1\n", profile: "p", env: map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "$URL"}, want: "AKINST token=imds-token", wantRegion: "eu-west-1"},
}
