// Entry of the Node runtime: what the engine starts as /var/runtime/index.cjs.
'use strict';

// A function sees no main module at AWS, where the entry is an ES module; `require.main === module`
// must stay false and `require.main` undefined.
process.mainModule = undefined;

const runtime = require('./runtime.cjs');

// No function can set a variable whose name begins so.
if (process.env._LAMBD_STEM === undefined) {
  runtime.main();
} else {
  require('./stem.cjs').wait(runtime);
}
