// Entry point of lamb's runtime for Node.js functions. It is started as
// `<interpreter> <this file>`, so that a program named by
// AWS_LAMBDA_EXEC_WRAPPER can put interpreter options in front of the last
// argument. The extension is .cjs because no package.json above this folder
// may turn it into an ES module.
'use strict';

require('./runtime.cjs').run();
