// Package awsconfig finds what a program needs to call AWS where the AWS CLI
// finds it: profile, region, endpoints and credentials, in the environment, in
// ~/.aws/config and ~/.aws/credentials, from programs, roles, single sign-on,
// containers and instances.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
//
// It stands in for the SDK's package config, which links four service clients,
// whose tables are built before main begins (docs/dependencies.md). The order of
// sources and the dialect of the files are the CLI's (a test compares both with
// botocore), with two liberties: AWS_REGION and AWS_PROFILE come before
// AWS_DEFAULT_REGION and AWS_DEFAULT_PROFILE, as in version 2 of the CLI, and
// what a file says twice is no error, the later wins.
//
// Not found here, although the CLI finds them: the files of tools before the CLI
// (AWS_CREDENTIAL_FILE, boto's configuration) and roles that the CLI has cached.
// What 'aws login' has left is used until it expires, and not renewed. FIPS and
// dual-stack endpoints have to be named as URLs.
//
// Errors name the file, the profile and the setting, and never what a secret is.
package awsconfig
